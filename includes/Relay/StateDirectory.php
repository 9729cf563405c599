<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\Keys\WikiSecret;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\MainConfigNames;

/**
 * The folder of the relay on this machine: its control socket, its lock and its files.
 */
class StateDirectory {
	public const CONSTRUCTOR_OPTIONS = [
		MainConfigNames::CacheDirectory,
		MainConfigNames::UploadDirectory,
	];

	/** Bytes that fit into the address of a Unix socket, sun_path less its NUL (unix(7)) */
	private const SOCKET_PATH_BYTES = 107;

	private const HTACCESS = <<<'APACHE'
		<IfModule mod_authz_core.c>
			Require all denied
		</IfModule>
		<IfModule !mod_authz_core.c>
			Deny from all
		</IfModule>

		APACHE;

	private readonly ?string $path;

	/**
	 * @param ServiceOptions $options
	 * @param Settings $settings
	 * @param WikiSecret $secret
	 * @param int|null $userId Of the user that PHP runs as; null: PHP does not know
	 */
	public function __construct(
		ServiceOptions $options,
		Settings $settings,
		WikiSecret $secret,
		private readonly ?int $userId
	) {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
		$parent = $options->get( MainConfigNames::CacheDirectory ) ?: $options->get( MainConfigNames::UploadDirectory );
		// The web server may serve these folders, and not every web server reads .htaccess.
		$isPath = is_string( $parent ) && preg_match( '~^/[^\x00-\x1f\x7f]*$~D', $parent );
		$private = $isPath && $secret->name !== ''
			? rtrim( $parent, '/' ) . '/websocket-' . $secret->name
			: null;
		$this->path = $settings->directory ?? $private;
	}

	/** @return string|null Absolute path; null: the wiki has no folder to write to */
	public function getPath(): ?string {
		return $this->path;
	}

	/** @return string|null Path of the relay's control socket, whether it is there or not */
	public function getControlSocket(): ?string {
		return $this->path === null ? null : "{$this->path}/control.sock";
	}

	/**
	 * @return string|null Why the folder cannot be trusted or used, and what to do; null: nothing is wrong
	 */
	public function getProblem(): ?string {
		if ( $this->path === null ) {
			return 'there is no folder for it; set $wgWebSocketDirectory to one that PHP can write to';
		}
		$length = strlen( $this->getControlSocket() );
		if ( $length > self::SOCKET_PATH_BYTES ) {
			return "{$this->getControlSocket()} has $length bytes and the address of a Unix socket holds "
				. self::SOCKET_PATH_BYTES . '; set $wgWebSocketDirectory to a folder with a shorter path';
		}
		if ( !is_dir( $this->path ) ) {
			return null;
		}
		// Whoever can write there can put a socket of his own in the place of the relay's and be told the wiki's key.
		if ( fileperms( $this->path ) & 0022 ) {
			return "others than its owner can write to {$this->path}; "
				. 'set $wgWebSocketDirectory to a folder for nothing else, with mode 700';
		}
		$owner = fileowner( $this->path );
		if ( $this->userId !== null && $owner !== $this->userId && $owner !== 0 ) {
			$name = posix_getpwuid( $owner )['name'] ?? "#$owner";
			return "{$this->path} belongs to $name, but PHP runs as another user; run a maintenance script "
				. "as that user, sudo -u $name php …; if it is the web server, give the folder to its user, or set "
				. '$wgWebSocketDirectory to another one';
		}
		return null;
	}

	/**
	 * Make the folder if it is not there.
	 *
	 * @return string|null What went wrong and what to do
	 */
	public function create(): ?string {
		$problem = $this->getProblem();
		if ( $problem !== null ) {
			return $problem;
		}
		// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
		if ( !is_dir( $this->path ) && !@mkdir( $this->path, 0700, true ) && !is_dir( $this->path ) ) {
			return "PHP cannot make the folder {$this->path}; make it, owned by the user that PHP runs as, "
				. 'or set $wgWebSocketDirectory to another one';
		}
		if ( !is_writable( $this->path ) ) {
			return "PHP cannot write to {$this->path}; give it to the user that PHP runs as, "
				. 'or set $wgWebSocketDirectory to another one';
		}
		if ( !is_file( "{$this->path}/.htaccess" ) ) {
			$this->write( '.htaccess', self::HTACCESS );
		}
		return null;
	}

	/**
	 * Write a file that only this user can read, all of it or nothing.
	 *
	 * @param string $name
	 * @param string $content
	 * @return string|null Its path; null: it could not be written
	 */
	public function write( string $name, string $content ): ?string {
		// Makes the file with mode 0600, but in the system's folder for temporary files when it cannot do so here.
		// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
		$temporary = @tempnam( (string)$this->path, $name );
		if ( $temporary === false ) {
			return null;
		}
		$path = "{$this->path}/$name";
		$isWritten = dirname( $temporary ) === realpath( (string)$this->path )
			&& file_put_contents( $temporary, $content ) === strlen( $content );
		if ( $isWritten && rename( $temporary, $path ) ) {
			return $path;
		}
		unlink( $temporary );
		return null;
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Config\ServiceOptions;
use MediaWiki\MainConfigNames;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * What a page has to know in order to connect.
 */
class ClientConfig {
	public const CONSTRUCTOR_OPTIONS = [
		MainConfigNames::ExtensionAssetsPath,
		MainConfigNames::ScriptPath,
		MainConfigNames::Server,
	];

	/** @var array{worker:string,wasm:string}|false|null false: not built; null: not looked for yet */
	private $manifest = null;

	/**
	 * @param ServiceOptions $options
	 * @param Settings $settings
	 * @param WikiIdentity $wiki
	 * @param ConnectTokens $tokens
	 * @param ClientId $clientId
	 * @param string $distDirectory Where the build puts the client
	 */
	public function __construct(
		private readonly ServiceOptions $options,
		private readonly Settings $settings,
		private readonly WikiIdentity $wiki,
		private readonly ConnectTokens $tokens,
		private readonly ClientId $clientId,
		private readonly string $distDirectory
	) {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
	}

	/** @return string|null Why pages cannot connect, and what to do; null: they can */
	public function getProblem(): ?string {
		// Without a relay nothing is signed.
		if ( $this->wiki->problem !== null && $this->settings->polling === 0 ) {
			return $this->wiki->problem;
		}
		if ( !$this->manifest() ) {
			return "there is no {$this->distDirectory}/manifest.php, so the browser client has not been built; "
				. 'run "make build" in the folder of the extension, or install a release archive';
		}
		return null;
	}

	/**
	 * @param bool $isRegistered Whether the page is for a user with an account: its token comes from the API, so that
	 *   it does not get into caches
	 * @return array<string,mixed> For mw.config. Nothing in it is secret, on a wiki that the public can read.
	 */
	public function getVars( bool $isRegistered ): array {
		$dist = $this->assetsPath() . '/WebSocket/resources/dist/';
		$polling = $this->settings->polling;
		$manifest = $polling ? null : $this->manifest();
		$token = $isRegistered || $polling ? null : $this->tokens->forPublic()['token'] ?? null;
		return [
			'wsPort' => $this->settings->port,
			'wsRewrite' => $this->settings->rewrite,
			'wsClientID' => $this->clientId->own(),
			'wsWikiID' => $this->wiki->id,
			// Caches keep it with the page: a reader is told of what has happened since.
			'wsTime' => ConvertibleTimestamp::time(),
			'wsConfig' => [
				'url' => $this->settings->url,
				'tlsPort' => $this->tlsPort(),
				'token' => $token,
				'worker' => $manifest ? $dist . $manifest['worker'] : null,
				'wasm' => $manifest ? $dist . $manifest['wasm'] : null,
				'api' => $this->options->get( MainConfigNames::ScriptPath ) . '/api.php',
			] + ( $polling ? [ 'polling' => $polling ] : [] ),
		];
	}

	/**
	 * @return string[] The relay as a source in a Content-Security-Policy; one for each scheme the wiki may be read by,
	 *   none when pages poll
	 */
	public function getSocketSources(): array {
		if ( $this->settings->polling ) {
			return [];
		}
		$url = $this->settings->url;
		if ( $url !== null && preg_match( '~^wss?://[^/]+~', $url, $match ) ) {
			return [ $match[0] ];
		}
		$sources = [];
		foreach ( Origins::ofServer( (string)$this->options->get( MainConfigNames::Server ) ) as $origin ) {
			$isSecure = str_starts_with( $origin, 'https' );
			$socket = preg_replace( '/^http/', 'ws', $origin );
			if ( $url === null && !$this->settings->rewrite ) {
				$port = $isSecure ? $this->tlsPort() ?? $this->settings->port : $this->settings->port;
				$socket = preg_replace( '/:\d+$/D', '', $socket ) . ":$port";
			}
			$sources[] = $socket;
		}
		return $sources;
	}

	private function tlsPort(): ?int {
		return $this->settings->tlsCert === '' ? null : $this->settings->port + 1;
	}

	/** A worker must have the origin of the page, which the assets need not have. */
	private function assetsPath(): string {
		$path = (string)$this->options->get( MainConfigNames::ExtensionAssetsPath );
		$server = (string)$this->options->get( MainConfigNames::Server );
		$isLocal = str_starts_with( $path, '/' ) && !str_starts_with( $path, '//' );
		$isSameOrigin = $server !== '' && str_starts_with( $path, "$server/" );
		return $isLocal || $isSameOrigin ? $path : $this->options->get( MainConfigNames::ScriptPath ) . '/extensions';
	}

	/** @return array{worker:string,wasm:string}|false */
	private function manifest() {
		if ( $this->manifest === null ) {
			$file = "{$this->distDirectory}/manifest.php";
			$manifest = is_file( $file ) ? include $file : null;
			$isGood = is_string( $manifest['worker'] ?? null ) && is_string( $manifest['wasm'] ?? null );
			$this->manifest = $isGood ? $manifest : false;
		}
		return $this->manifest;
	}
}

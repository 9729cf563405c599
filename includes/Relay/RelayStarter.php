<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use MediaWiki\Extension\WebSocket\Origins;
use MediaWiki\Extension\WebSocket\Settings;

/**
 * Starts the relay on this machine, as a process of its own that outlives the request.
 *
 * No shell takes part, and nothing of the settings is in the argument vector but the path of a file, which only this
 * user can read.
 */
class RelayStarter {
	private const CONFIG_FILE = 'relay.json';
	private const ERROR_FILE = 'start.err';
	private const LOCK_FILE = 'start.lock';
	private const ERROR_BYTES = 512;
	private const START_SECONDS = 5;
	private const POLL_MICROSECONDS = 2000;

	/** Exit codes of the relay */
	private const BAD_CONFIGURATION = 2;
	private const TAKEN = 3;

	/** Names of this machine's processor types (uname -m) in the names of the released binaries */
	private const ARCHITECTURES = [ 'x86_64' => 'amd64', 'amd64' => 'amd64', 'aarch64' => 'arm64', 'arm64' => 'arm64' ];

	/**
	 * @param Settings $settings
	 * @param StateDirectory $directory
	 * @param string $binDirectory Where the extension's own binaries are
	 * @param string $server $wgServer
	 */
	public function __construct(
		private readonly Settings $settings,
		private readonly StateDirectory $directory,
		private readonly string $binDirectory,
		private readonly string $server
	) {
	}

	/**
	 * Start the relay, unless another request is just doing that.
	 *
	 * @param callable():bool $isRunning Asked when nobody else can start one any more
	 * @return string|null What went wrong and what to do; null: it runs, or somebody else is starting it
	 */
	public function start( callable $isRunning ): ?string {
		if ( !function_exists( 'proc_open' ) ) {
			return 'PHP may not start programs (proc_open is in disable_functions); run the relay as a service and '
				. 'set $wgWebSocketAutostart = false';
		}
		$binary = $this->findBinary();
		if ( !is_executable( $binary ) ) {
			return is_file( $binary ) ? "PHP may not execute $binary; chmod +x it" : "there is no $binary; "
				. 'run "make build", or install a release archive, or set $wgWebSocketBinary';
		}
		$problem = $this->directory->create();
		if ( $problem !== null ) {
			return $problem;
		}
		$file = $this->directory->getPath() . '/' . self::LOCK_FILE;
		// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
		$lock = @fopen( $file, 'c' );
		if ( !$lock ) {
			return "PHP cannot write to $file; give it to the user that PHP runs as";
		}
		try {
			if ( !flock( $lock, LOCK_EX | LOCK_NB ) ) {
				return null;
			}
			return $isRunning() ? null : $this->launch( $binary );
		} finally {
			// Closing alone would not do: the relay may have inherited the descriptor.
			flock( $lock, LOCK_UN );
			fclose( $lock );
		}
	}

	/** @return string Another one when it would be started in another way */
	public function fingerprint(): string {
		return md5( json_encode( [ $this->findBinary(), $this->config() ], JSON_PARTIAL_OUTPUT_ON_ERROR ) );
	}

	/** @return array<string,string> The relay's configuration; it holds no secrets */
	private function config(): array {
		return array_filter( [
			'listen' => $this->settings->listen ?? $this->defaultListen(),
			'tlsCert' => $this->settings->tlsCert,
			'tlsKey' => $this->settings->tlsKey,
			'control' => (string)$this->directory->getControlSocket(),
			'log' => $this->settings->log,
		], static fn ( $value ) => $value !== '' );
	}

	/** Nobody but the web server has to reach it behind a rewrite rule, and nobody at all a wiki on the loopback. */
	private function defaultListen(): string {
		$host = parse_url( Origins::ofServer( $this->server )[0] ?? '', PHP_URL_HOST );
		$isLoopback = is_string( $host ) && preg_match( '/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/D', $host );
		return ( $this->settings->rewrite || $isLoopback ? '127.0.0.1' : '' ) . ":{$this->settings->port}";
	}

	private function findBinary(): string {
		$released = $this->binDirectory . '/websocket-relay-linux-'
			. ( self::ARCHITECTURES[php_uname( 'm' )] ?? php_uname( 'm' ) );
		$built = $this->binDirectory . '/websocket-relay';
		return $this->settings->binary ?? ( !is_file( $built ) && is_file( $released ) ? $released : $built );
	}

	private function launch( string $binary ): ?string {
		$json = json_encode( $this->config(), JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT | JSON_THROW_ON_ERROR );
		$config = $this->directory->write( self::CONFIG_FILE, "$json\n" );
		$errors = $this->directory->write( self::ERROR_FILE, '' );
		if ( $config === null || $errors === null ) {
			return "PHP cannot write to {$this->directory->getPath()}; is the disk full?";
		}
		// A file rather than a pipe for what it has to say: a daemon that writes to a pipe without a reader dies of it.
		$descriptors = [ [ 'file', '/dev/null', 'r' ], [ 'file', '/dev/null', 'w' ], [ 'file', $errors, 'w' ] ];
		// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
		$process = @proc_open(
			[ $binary, '--daemon', '--config', $config ],
			$descriptors,
			$pipes,
			$this->directory->getPath(),
			[ 'PATH' => '/usr/local/bin:/usr/bin:/bin' ]
		);
		if ( !$process ) {
			return "PHP could not start $binary: " . ( error_get_last()['message'] ?? 'no reason given' );
		}
		$code = $this->waitFor( $process );
		return $code === 0 ? null : $this->explain( $binary, $code, $this->said( $errors ) );
	}

	/**
	 * @param resource $process
	 * @return int|null Its exit code; null: it did not end and was ended
	 */
	private function waitFor( $process ): ?int {
		$deadline = hrtime( true ) + self::START_SECONDS * 1e9;
		do {
			$status = proc_get_status( $process );
			if ( !$status['running'] ) {
				proc_close( $process );
				return $status['exitcode'];
			}
			usleep( self::POLL_MICROSECONDS );
		} while ( hrtime( true ) < $deadline );
		proc_terminate( $process, 9 );
		proc_close( $process );
		return null;
	}

	private function said( string $file ): string {
		$text = trim( (string)file_get_contents( $file, false, null, 0, self::ERROR_BYTES ) );
		return preg_replace( '/[\p{Cc}\p{Zl}\p{Zp}]+/u', ' ', mb_scrub( $text, 'UTF-8' ) );
	}

	private function explain( string $binary, ?int $code, string $said ): string {
		$said = $said === '' ? 'nothing' : "\"$said\"";
		return match ( $code ) {
			null => "$binary was not ready within " . self::START_SECONDS . " s and was ended; it said $said",
			self::BAD_CONFIGURATION => "it does not accept its configuration and said $said; "
				. 'mend the $wgWebSocket… setting that this names',
			self::TAKEN => "it said $said; wikis that share a relay need the same \$wgWebSocketDirectory, others "
				. 'another $wgWebSocketPort, and a relay that was started with other settings has to be ended',
			default => "$binary ended with code $code and said $said",
		};
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests;

use RuntimeException;

/**
 * Runs FakeRelayServer in a folder of its own, and ends it.
 */
class FakeRelay {
	private const WAIT_SECONDS = 10;
	private const SCRIPT = 'require "$argv[1]/FakeRelayServer.php"; ( new ' . FakeRelayServer::class
		. '( $argv[2], $argv[3], $argv[4] ) )->run();';

	public readonly string $directory;
	public readonly string $address;

	/** @var resource */
	private $process;

	/**
	 * @param string $mode See FakeRelayServer
	 * @param string|null $directory An existing folder, for its control socket
	 */
	public function __construct( string $mode, ?string $directory = null ) {
		$this->directory = $directory ?? self::newDirectory();
		$this->address = "unix://{$this->directory}/control.sock";
		$this->process = proc_open(
			[ PHP_BINARY, '-n', '-r', self::SCRIPT, '--', __DIR__, $this->address, $mode, "{$this->directory}/log" ],
			[ [ 'file', '/dev/null', 'r' ], [ 'pipe', 'w' ], [ 'file', '/dev/null', 'w' ] ],
			$pipes
		);
		stream_set_timeout( $pipes[1], self::WAIT_SECONDS );
		if ( fgets( $pipes[1] ) !== "ready\n" ) {
			throw new RuntimeException( "The fake relay did not start on {$this->address}" );
		}
		// Closing the pipe would end it at its next word, but it says none.
		fclose( $pipes[1] );
	}

	public function stop(): void {
		proc_terminate( $this->process, 9 );
		proc_close( $this->process );
		self::removeDirectory( $this->directory );
	}

	/** @return array[] The requests so far: method, path, headers, body */
	public function requests(): array {
		$lines = is_file( "{$this->directory}/log" ) ? file( "{$this->directory}/log" ) : [];
		return array_map( static fn ( $line ) => json_decode( $line, true ), $lines );
	}

	/** @return array[][] The messages so far, by publish request, without their keys */
	public function published(): array {
		return array_map( static fn ( array $messages ): array => array_map( static function ( array $message ): array {
			unset( $message['key'] );
			return $message;
		}, $messages ), $this->publishedWithKeys() );
	}

	/** @return array[][] */
	public function publishedWithKeys(): array {
		$bodies = [];
		foreach ( $this->requests() as $request ) {
			if ( $request['path'] === '/api/publish' ) {
				$bodies[] = json_decode( $request['body'], true )['messages'];
			}
		}
		return $bodies;
	}

	/** @return array[] What was revoked so far: the bodies, each with "before" */
	public function revoked(): array {
		$requests = array_filter( $this->requests(), static fn ( $request ) => $request['path'] === '/api/disconnect' );
		return array_values( array_map( static fn ( $request ) => json_decode( $request['body'], true ), $requests ) );
	}

	/** @return string A new folder with a name that is short enough for a socket in it */
	public static function newDirectory(): string {
		$directory = sys_get_temp_dir() . '/wstest-' . bin2hex( random_bytes( 6 ) );
		mkdir( $directory, 0700 );
		return $directory;
	}

	public static function removeDirectory( string $directory ): void {
		foreach ( array_diff( scandir( $directory ), [ '.', '..' ] ) as $name ) {
			$path = "$directory/$name";
			is_dir( $path ) && !is_link( $path ) ? self::removeDirectory( $path ) : unlink( $path );
		}
		rmdir( $directory );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Relay\RelayStarter;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiUnitTestCase;

/**
 * Starts a stand-in for the relay, a shell script that writes down what it was started with.
 *
 * @covers \MediaWiki\Extension\WebSocket\Relay\RelayStarter
 */
class RelayStarterTest extends MediaWikiUnitTestCase {
	private string $parent;
	private string $binary;

	protected function setUp(): void {
		parent::setUp();
		$this->parent = FakeRelay::newDirectory();
		$this->binary = "{$this->parent}/relay";
		$this->binaryDoes( 'exit 0' );
	}

	protected function tearDown(): void {
		FakeRelay::removeDirectory( $this->parent );
		parent::tearDown();
	}

	private function binaryDoes( string $shell ): void {
		$record = escapeshellarg( "{$this->parent}/started" );
		file_put_contents( $this->binary, "#!/bin/sh\nprintf '%s\\0' \"\$@\" >$record.args\n"
			. "env >$record.env\npwd >$record.pwd\nls /proc/self/fd >$record.fds\n$shell\n" );
		chmod( $this->binary, 0700 );
	}

	private function starter( array $values = [], string $server = 'https://wiki.example' ): RelayStarter {
		$values += [ 'WebSocketBinary' => $this->binary, 'WebSocketDirectory' => "{$this->parent}/state" ];
		return new RelayStarter(
			Fixtures::settings( $values ), Fixtures::directory( $values ), "{$this->parent}/bin", $server
		);
	}

	private function start( array $values = [], bool $isRunning = false ): ?string {
		return $this->starter( $values )->start( static fn () => $isRunning );
	}

	private function config(): array {
		return json_decode( file_get_contents( "{$this->parent}/state/relay.json" ), true );
	}

	/** @return string[]|null null: it was not started */
	private function arguments(): ?array {
		$file = "{$this->parent}/started.args";
		return is_file( $file ) ? explode( "\0", rtrim( file_get_contents( $file ), "\0" ) ) : null;
	}

	public function testHowItIsStarted(): void {
		putenv( 'WEBSOCKET_TEST_SECRET=secret' );
		$this->assertNull( $this->start() );
		putenv( 'WEBSOCKET_TEST_SECRET' );
		$this->assertSame( [ '--daemon', '--config', "{$this->parent}/state/relay.json" ], $this->arguments() );
		$this->assertSame( "{$this->parent}/state\n", file_get_contents( "{$this->parent}/started.pwd" ) );
		$this->assertStringNotContainsString( 'secret', file_get_contents( "{$this->parent}/started.env" ) );
		$this->assertSame( 0600, fileperms( "{$this->parent}/state/relay.json" ) & 0777 );
		$this->assertSame( 0700, fileperms( "{$this->parent}/state" ) & 0777 );
		$this->assertSame( [
			'listen' => ':1729',
			'control' => "{$this->parent}/state/control.sock",
		], $this->config(), 'no key in it' );
	}

	public function testLegacyOptionsReachTheRelay(): void {
		$this->assertNull( $this->start( [
			'WebSocketPort' => 8000,
			'WebSocketTLSCert' => '/c.pem',
			'WebSocketTLSKey' => '/k.pem',
			'WebSocketLog' => '/l.log',
		] ) );
		$this->assertSame( [
			'listen' => ':8000',
			'tlsCert' => '/c.pem',
			'tlsKey' => '/k.pem',
			'control' => "{$this->parent}/state/control.sock",
			'log' => '/l.log',
		], $this->config() );
	}

	public static function listening(): array {
		return [
			'public wiki' => [ [], 'https://wiki.example', ':1729' ],
			'behind a rewrite rule' => [ [ 'WebSocketRewrite' => true ], 'https://wiki.example', '127.0.0.1:1729' ],
			'localhost' => [ [], 'http://localhost:8080', '127.0.0.1:1729' ],
			'127.0.0.1' => [ [], 'http://127.0.0.1', '127.0.0.1:1729' ],
			'IPv6 loopback' => [ [], 'http://[::1]:8080', '127.0.0.1:1729' ],
			'name that only looks so' => [ [], 'http://localhost.example', ':1729' ],
			'configured' => [ [ 'WebSocketListen' => '10.0.0.7:99' ], 'http://localhost', '10.0.0.7:99' ],
		];
	}

	/**
	 * @dataProvider listening
	 */
	public function testWhereItListens( array $values, string $server, string $expected ): void {
		$this->starter( $values, $server )->start( static fn () => false );
		$this->assertSame( $expected, $this->config()['listen'] );
	}

	public static function hostileValues(): array {
		$cases = [];
		$texts = [
			'; touch pwned', '$(touch pwned)', '`touch pwned`', "x\ntouch pwned", '--open', "x' 'y", '| touch pwned'
		];
		$names = [ 'Log', 'TLSCert', 'TLSKey', 'Directory', 'Binary', 'Listen', 'Port', 'ClientID', 'Url' ];
		foreach ( $names as $name ) {
			foreach ( $texts as $text ) {
				$cases["$name: " . json_encode( $text )] = [ "WebSocket$name", $text ];
			}
		}
		return $cases;
	}

	/**
	 * An attacker who can set one of these would run a command as the web server's user, or add an option of the relay.
	 *
	 * @dataProvider hostileValues
	 */
	public function testHostileSettingRunsNothingAndAddsNoOption( string $name, string $value ): void {
		// As it is: refused by Settings. As a path: allowed, because file names may look like that.
		foreach ( [ $value, "{$this->parent}/$value" ] as $hostile ) {
			$problem = $this->start( [ $name => $hostile ] );
			$this->assertSame( [], glob( "{$this->parent}/{,*/}pwned*", GLOB_BRACE ) );
			$this->assertFileDoesNotExist( 'pwned' );
			if ( $this->arguments() === null ) {
				$this->assertNotNull( $problem );
				continue;
			}
			$arguments = $this->arguments();
			$this->assertCount( 3, $arguments );
			$this->assertSame( [ '--daemon', '--config' ], array_slice( $arguments, 0, 2 ) );
			$this->assertStringStartsWith( "{$this->parent}/", $arguments[2] );
			$config = json_decode( file_get_contents( $arguments[2] ), true );
			$allowed = [ 'listen', 'tlsCert', 'tlsKey', 'control', 'log' ];
			$this->assertSame( [], array_diff( array_keys( $config ), $allowed ) );
			unlink( "{$this->parent}/started.args" );
		}
	}

	public function testPathWithShellCharactersIsPassedOnAsItIs(): void {
		$directory = "{$this->parent}/a b;\$(touch pwned)'\"";
		$log = "$directory/`x`.log";
		$this->assertNull( $this->start( [ 'WebSocketDirectory' => $directory, 'WebSocketLog' => $log ] ) );
		$this->assertSame( "$directory/relay.json", $this->arguments()[2] );
		$config = json_decode( file_get_contents( "$directory/relay.json" ), true );
		$this->assertSame( $log, $config['log'] );
		$this->assertSame( "$directory/control.sock", $config['control'] );
	}

	public function testNothingIsStartedWhenOneRunsAlready(): void {
		$this->assertNull( $this->start( [], true ) );
		$this->assertNull( $this->arguments() );
	}

	public function testNothingIsStartedWhileAnotherRequestDoes(): void {
		mkdir( "{$this->parent}/state", 0700 );
		$lock = fopen( "{$this->parent}/state/start.lock", 'c' );
		flock( $lock, LOCK_EX );
		$this->assertNull( $this->start() );
		$this->assertNull( $this->arguments() );
		fclose( $lock );
		$this->assertNull( $this->start() );
		$this->assertNotNull( $this->arguments() );
	}

	public function testRelayThatInheritsTheLockDoesNotKeepIt(): void {
		$this->binaryDoes( 'sleep 5 & exit 0' );
		$this->assertNull( $this->start() );
		$lock = fopen( "{$this->parent}/state/start.lock", 'c' );
		$this->assertTrue( flock( $lock, LOCK_EX | LOCK_NB ) );
		fclose( $lock );
	}

	public static function failures(): array {
		return [
			'configuration' => [ "echo 'bad \"listen\"' >&2; exit 2", [ 'said "bad "listen""', 'mend' ] ],
			'port taken' => [
				"echo 'port 1729 is held by a relay' >&2; exit 3",
				[ 'port 1729 is held by a relay', '$wgWebSocketDirectory', '$wgWebSocketPort' ],
			],
			'other' => [ 'exit 1', [ 'code 1', 'said nothing' ] ],
			'more than one line' => [ "printf 'a\\nb\\033[31m' >&2; exit 2", [ '"a b [31m"' ] ],
			'long' => [ "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1", [ str_repeat( 'x', 512 ) . '"' ] ],
		];
	}

	/**
	 * @dataProvider failures
	 */
	public function testFailureSaysWhyAndWhatToDo( string $shell, array $expected ): void {
		$this->binaryDoes( $shell );
		$problem = $this->start();
		foreach ( $expected as $part ) {
			$this->assertStringContainsString( $part, $problem );
		}
		$this->assertStringNotContainsString( "\n", $problem );
	}

	public function testFingerprintChangesWithTheSettings(): void {
		$fingerprint = $this->starter()->fingerprint();
		$this->assertSame( $fingerprint, $this->starter()->fingerprint() );
		foreach ( [ 'WebSocketPort' => 9, 'WebSocketLog' => '/l', 'WebSocketBinary' => '/b' ] as $name => $value ) {
			$this->assertNotSame( $fingerprint, $this->starter( [ $name => $value ] )->fingerprint(), $name );
		}
	}

	public function testMissingBinary(): void {
		unlink( $this->binary );
		$problem = $this->start();
		$this->assertStringContainsString( $this->binary, $problem );
		$this->assertStringContainsString( 'make build', $problem );
		$this->assertDirectoryDoesNotExist( "{$this->parent}/state" );
	}

	public function testBinaryThatMayNotBeExecuted(): void {
		chmod( $this->binary, 0600 );
		$this->assertStringContainsString( 'chmod +x', $this->start() );
	}

	public function testBinaryThatCannotBeExecuted(): void {
		file_put_contents( $this->binary, "\x7fELF of another machine" );
		$problem = $this->start();
		$this->assertIsString( $problem );
		$this->assertStringContainsString( $this->binary, $problem );
	}

	public function testReleasedBinaryOfThisMachine(): void {
		mkdir( "{$this->parent}/bin" );
		$architecture = [ 'x86_64' => 'amd64', 'aarch64' => 'arm64' ][php_uname( 'm' )];
		rename( $this->binary, "{$this->parent}/bin/websocket-relay-linux-$architecture" );
		$this->assertNull( $this->start( [ 'WebSocketBinary' => null ] ) );
		$this->assertNotNull( $this->arguments() );
	}

	public function testFolderWithoutRoomForASocket(): void {
		$problem = $this->start( [ 'WebSocketDirectory' => $this->parent . '/' . str_repeat( 'x', 100 ) ] );
		$this->assertStringContainsString( 'bytes', $problem );
		$this->assertNull( $this->arguments() );
	}
}

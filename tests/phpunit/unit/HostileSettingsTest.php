<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Keys\KeyGenerations;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayStarter;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiUnitTestCase;

/**
 * Every setting of the extension, and those of MediaWiki that it reads, with values that a shell, a configuration file
 * or a protocol would obey. Settings that are added later are here by themselves.
 *
 * @coversNothing It is about all of them together
 */
class HostileSettingsTest extends MediaWikiUnitTestCase {
	private const TEXTS = [
		'; touch pwned',
		'$(touch pwned)',
		'`touch pwned`',
		"x\ntouch pwned",
		'| touch pwned',
		'& touch pwned',
		"'; touch pwned; '",
		'"; touch pwned; "',
		'-c touch${IFS}pwned',
		'--open',
		"x\0y",
		"x\r\nX-Forged: yes",
		'","open":true,"x":"',
	];

	private string $parent;

	/** @var array<string,true> The settings that a relay was started with */
	private array $tried = [];

	protected function setUp(): void {
		parent::setUp();
		$this->parent = FakeRelay::newDirectory();
		$this->writeBinary( "{$this->parent}/relay" );
	}

	protected function tearDown(): void {
		FakeRelay::removeDirectory( $this->parent );
		parent::tearDown();
	}

	/** @param string $path Of a stand-in for the relay, which writes down what it was started with */
	private function writeBinary( string $path ): void {
		$record = escapeshellarg( "{$this->parent}/started" );
		file_put_contents( $path, "#!/bin/sh\nprintf '%s\\0' \"\$@\" >$record.args\nenv -0 >$record.env\n" );
		chmod( $path, 0700 );
	}

	/** @return string[] What was run by mistake */
	private function pwned(): array {
		$found = glob( "{$this->parent}/{,*/,*/*/}pwned*", GLOB_BRACE );
		return file_exists( 'pwned' ) ? [ 'pwned', ...$found ] : $found;
	}

	public static function settings(): array {
		$manifest = json_decode( file_get_contents( __DIR__ . '/../../../extension.json' ), true );
		$core = [ 'CacheDirectory', 'UploadDirectory', 'DBname', 'DBprefix', 'SecretKey', 'Server' ];
		$names = array_merge( array_keys( $manifest['config'] ), $core );
		return array_combine( $names, array_map( static fn ( $name ) => [ $name ], $names ) );
	}

	/**
	 * Who can set one of them would run a command as the web server's user, or give the relay an option or a line of
	 * its configuration.
	 *
	 * @dataProvider settings
	 */
	public function testSettingRunsACommand( string $name ): void {
		foreach ( self::TEXTS as $text ) {
			$values = [ $text, "{$this->parent}/$text", "127.0.0.1:1729$text", "https://$text" ];
			if ( str_starts_with( $name, 'WebSocket' ) ) {
				array_push( $values, [ $text ], [ $text => $text ] );
			}
			foreach ( $values as $value ) {
				$this->assertStartsOnlyTheRelay( $name, $value );
			}
		}
	}

	private function assertStartsOnlyTheRelay( string $name, $value ): void {
		$server = $name === 'Server' && is_string( $value ) ? $value : 'https://wiki.example';
		$values = [ $name => $value ] + [ 'WebSocketBinary' => "{$this->parent}/relay" ];
		if ( !str_ends_with( $name, 'Directory' ) ) {
			$values['WebSocketDirectory'] = "{$this->parent}/state";
		}
		$what = "$name " . json_encode( $value );
		$settings = Fixtures::settings( $values );
		$directory = Fixtures::directory( $values );
		$starter = new RelayStarter( $settings, $directory, "{$this->parent}/bin", $server );
		$good = array_diff_key( get_object_vars( $settings ), [ 'errors' => 0 ] );
		$way = serialize( [ $server, $directory->getPath(), $good ] );
		if ( isset( $this->tried[$way] ) ) {
			// Refused, and replaced by what has been tried before.
			return;
		}
		$this->tried[$way] = true;
		$starter->start( static fn () => false );
		$this->assertSame( [], $this->pwned(), $what );
		if ( !is_file( "{$this->parent}/started.args" ) ) {
			// Refused; that it is said so is tested with each setting.
			return;
		}
		$arguments = explode( "\0", file_get_contents( "{$this->parent}/started.args" ) );
		$this->assertCount( 4, $arguments, $what );
		$this->assertSame( [ '--daemon', '--config' ], array_slice( $arguments, 0, 2 ), $what );
		$this->assertStringStartsWith( "{$this->parent}/", $arguments[2], $what );
		$this->assertStringEndsWith( '/relay.json', $arguments[2], $what );
		$this->assertSame( 0600, fileperms( $arguments[2] ) & 0777, $what );
		$config = json_decode( file_get_contents( $arguments[2] ), true );
		foreach ( $config as $key => $path ) {
			if ( $key === 'listen' ) {
				$this->assertMatchesRegularExpression( '/^[0-9A-Za-z.:\[\]-]*:\d+$/D', $path, $what );
			} else {
				$this->assertContains( $key, [ 'tlsCert', 'tlsKey', 'control', 'log' ], $what );
				$this->assertStringStartsWith( '/', $path, $what );
			}
		}
		$environment = explode( "\0", rtrim( file_get_contents( "{$this->parent}/started.env" ), "\0" ) );
		$names = preg_replace( '/=.*/s', '', $environment );
		$this->assertSame( [], array_diff( $names, [ 'PATH', 'PWD', 'OLDPWD', 'SHLVL', '_' ] ), $what );
		unlink( "{$this->parent}/started.args" );
	}

	/** A file name may look like anything; it is run as it is, and nothing else. */
	public function testNameOfTheBinaryRunsACommand(): void {
		foreach ( self::TEXTS as $text ) {
			if ( str_contains( $text, "\0" ) || str_contains( $text, '/' ) ) {
				continue;
			}
			$binary = "{$this->parent}/$text";
			$this->writeBinary( $binary );
			$values = [ 'WebSocketBinary' => $binary, 'WebSocketDirectory' => "{$this->parent}/state" ];
			$starter = new RelayStarter(
				Fixtures::settings( $values ), Fixtures::directory( $values ), "{$this->parent}/bin", '//wiki.example'
			);
			$problem = $starter->start( static fn () => false );
			unlink( $binary );
			$this->assertSame( [], $this->pwned(), $text );
			$isOneLine = !preg_match( '/[\x00-\x1f\x7f]/', $text );
			$this->assertSame( $isOneLine, $problem === null, "$text: $problem" );
			$this->assertSame( $isOneLine, is_file( "{$this->parent}/started.args" ), $text );
			if ( $isOneLine ) {
				unlink( "{$this->parent}/started.args" );
			}
		}
	}

	/** The database's name goes into a URL and into the names of files. */
	public function testDatabaseNameForgesARequestOrAPath(): void {
		foreach ( [ ...self::TEXTS, '../../x', "a b HTTP/1.1\r\n\r\nPUT /api/wikis/other: HTTP/1.1" ] as $text ) {
			$values = [ 'DBname' => $text, 'WebSocketDirectory' => "{$this->parent}/state" ];
			$wiki = Fixtures::wiki( $values );
			$relay = new FakeRelay( 'ok' );
			$registrar = new Registrar(
				Fixtures::client( $relay->directory ), $wiki, Fixtures::settings( $values ), Fixtures::types( $values ),
				Fixtures::groupPermissions( [ 'read' => true, 'websocket-send' => true ] ), [ '//wiki.example' ]
			);
			$registrar->register();
			$requests = $relay->requests();
			$relay->stop();
			$this->assertSame( [ 'HEAD', 'PUT' ], array_column( $requests, 'method' ), $text );
			foreach ( $requests as $request ) {
				$this->assertSame( '/api/wikis/' . rawurlencode( $wiki->id ), $request['path'], $text );
				$this->assertArrayNotHasKey( 'x-forged', array_change_key_case( $request['headers'] ), $text );
			}
			$generation = ( new KeyGenerations( Fixtures::directory( $values ) ) )->current( $wiki->id );
			$this->assertNull( $generation->problem, $text );
		}
	}
}

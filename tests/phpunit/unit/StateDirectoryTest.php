<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Relay\StateDirectory
 */
class StateDirectoryTest extends MediaWikiUnitTestCase {
	private string $parent;

	protected function setUp(): void {
		parent::setUp();
		$this->parent = FakeRelay::newDirectory();
	}

	protected function tearDown(): void {
		FakeRelay::removeDirectory( $this->parent );
		parent::tearDown();
	}

	public function testChoice(): void {
		$name = 'websocket-' . Fixtures::secret()->name;
		$both = [ 'CacheDirectory' => '/cache/', 'UploadDirectory' => '/images' ];
		$this->assertSame( "/cache/$name", Fixtures::directory( $both )->getPath() );
		$this->assertSame( "/images/$name", Fixtures::directory( [ 'UploadDirectory' => '/images' ] )->getPath() );
		$own = Fixtures::directory( [ 'WebSocketDirectory' => '/own' ] + $both );
		$this->assertSame( [ '/own', '/own/control.sock' ], [ $own->getPath(), $own->getControlSocket() ] );
	}

	public function testWithoutAnyFolder(): void {
		$without = [ [], [ 'CacheDirectory' => 'relative' ], [ 'SecretKey' => '', 'CacheDirectory' => '/x' ] ];
		foreach ( $without as $values ) {
			$directory = Fixtures::directory( $values );
			$this->assertNull( $directory->getPath() );
			$this->assertNull( $directory->getControlSocket() );
			$this->assertStringContainsString( '$wgWebSocketDirectory', $directory->create() );
		}
	}

	public function testIsForThisUserOnly(): void {
		$directory = Fixtures::directory( [ 'CacheDirectory' => $this->parent ] );
		$this->assertNull( $directory->create() );
		$path = $directory->getPath();
		$this->assertSame( 0700, fileperms( $path ) & 0777 );
		$this->assertStringContainsString( 'Require all denied', file_get_contents( "$path/.htaccess" ) );

		$this->assertSame( "$path/f", $directory->write( 'f', 'one' ) );
		$this->assertSame( "$path/f", $directory->write( 'f', 'two' ) );
		$this->assertSame( 'two', file_get_contents( "$path/f" ) );
		$this->assertSame( 0600, fileperms( "$path/f" ) & 0777 );
		$this->assertSame( [ '.', '..', '.htaccess', 'f' ], scandir( $path ), 'no temporary file is left' );
	}

	public function testOthersMayNotWriteThere(): void {
		$directory = Fixtures::directory( [ 'WebSocketDirectory' => $this->parent ] );
		foreach ( [ 0700 => true, 0750 => true, 0770 => false, 0702 => false ] as $mode => $isGood ) {
			chmod( $this->parent, $mode );
			clearstatcache();
			$problem = $directory->getProblem();
			$this->assertSame( $isGood, $problem === null, decoct( $mode ) . " $problem" );
		}
		chmod( $this->parent, 0700 );
	}

	public function testFolderOfAnotherUser(): void {
		$owner = posix_geteuid() ?: 1;
		chown( $this->parent, $owner );
		clearstatcache();
		$settings = [ 'WebSocketDirectory' => $this->parent ];
		$this->assertNull( Fixtures::directory( $settings, $owner )->getProblem() );
		$problem = Fixtures::directory( $settings, $owner + 1 )->create();
		$this->assertStringContainsString( 'belongs to ' . posix_getpwuid( $owner )['name'], $problem );
		$this->assertStringContainsString( '$wgWebSocketDirectory', $problem );
		$this->assertFileDoesNotExist( "{$this->parent}/.htaccess" );
		$roots = Fixtures::directory( [ 'WebSocketDirectory' => '/' ], $owner );
		$this->assertNull( $roots->getProblem(), 'root reads every key anyway' );
	}

	public function testWritesThroughASymbolicLink(): void {
		mkdir( "{$this->parent}/real", 0700 );
		symlink( "{$this->parent}/real", "{$this->parent}/link" );
		$directory = Fixtures::directory( [ 'WebSocketDirectory' => "{$this->parent}/link" ] );
		$this->assertNull( $directory->create() );
		$this->assertNotNull( $directory->write( 'f', 'x' ) );
	}

	public function testWritesNowhereElse(): void {
		$directory = Fixtures::directory( [ 'WebSocketDirectory' => "{$this->parent}/missing" ] );
		$before = glob( sys_get_temp_dir() . '/secret*' );
		$this->assertNull( $directory->write( 'secret', 'x' ) );
		$this->assertSame( $before, glob( sys_get_temp_dir() . '/secret*' ) );
	}

	public function testRefusesAFolderThatEverybodyCanWriteTo(): void {
		chmod( $this->parent, 0777 );
		$problem = Fixtures::directory( [ 'WebSocketDirectory' => $this->parent ] )->create();
		chmod( $this->parent, 0700 );
		$this->assertStringContainsString( 'mode 700', $problem );
		$this->assertFileDoesNotExist( "{$this->parent}/.htaccess" );
	}

	public function testSaysWhenItCannotBeMade(): void {
		file_put_contents( "{$this->parent}/file", '' );
		$directory = Fixtures::directory( [ 'WebSocketDirectory' => "{$this->parent}/file/sub" ] );
		$this->assertStringContainsString( '$wgWebSocketDirectory', $directory->create() );
	}

	public function testLongestSocketPath(): void {
		$longest = '/' . str_repeat( 'x', 107 - strlen( '/' . '/control.sock' ) );
		$good = Fixtures::directory( [ 'WebSocketDirectory' => $longest ] );
		$this->assertSame( 107, strlen( $good->getControlSocket() ) );
		$this->assertNull( $good->getProblem() );
		$problem = Fixtures::directory( [ 'WebSocketDirectory' => "{$longest}x" ] )->getProblem();
		$this->assertStringContainsString( '108 bytes', $problem );
		$this->assertStringContainsString( '$wgWebSocketDirectory', $problem );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Keys\KeyGeneration;
use MediaWiki\Extension\WebSocket\Keys\KeyGenerations;
use MediaWiki\Extension\WebSocket\Keys\KeyRotation;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWikiUnitTestCase;
use RuntimeException;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * @covers \MediaWiki\Extension\WebSocket\Keys\KeyRotation
 * @covers \MediaWiki\Extension\WebSocket\Keys\KeyGenerations
 * @covers \MediaWiki\Extension\WebSocket\Relay\Registrar
 */
class KeyRotationTest extends MediaWikiUnitTestCase {
	private const NOW = 1750000000;

	private FakeRelay $relay;

	protected function setUp(): void {
		parent::setUp();
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$this->relay = new FakeRelay( 'ok' );
	}

	protected function tearDown(): void {
		$this->relay->stop();
		ConvertibleTimestamp::setFakeTime( false );
		parent::tearDown();
	}

	private function useRelay( string $mode ): void {
		$this->relay->stop();
		$this->relay = new FakeRelay( $mode );
	}

	private function generations( array $values = [] ): KeyGenerations {
		$values += [ 'WebSocketDirectory' => $this->relay->directory ];
		return new KeyGenerations( Fixtures::directory( $values ) );
	}

	private function registrar( array $values = [] ): Registrar {
		$client = Fixtures::client( $this->relay->directory, $values );
		$client->bePatient();
		return new Registrar(
			$client,
			Fixtures::wiki( $values, $this->generations( $values )->current( 'mydb:' ) ),
			Fixtures::settings( $values ),
			Fixtures::types( $values ),
			Fixtures::groupPermissions( [ 'read' => true ] ),
			[ 'https://wiki.example' ],
			$this->generations( $values )
		);
	}

	private function rotation( array $values = [] ): KeyRotation {
		$values += [ 'WebSocketDirectory' => $this->relay->directory ];
		return new KeyRotation(
			Fixtures::options( WikiIdentity::CONSTRUCTOR_OPTIONS, $values ),
			Fixtures::secret( $values ),
			$this->generations( $values ),
			$this->registrar( $values ),
			Fixtures::settings( $values )
		);
	}

	/** @return array The last registration */
	private function registration(): array {
		$puts = array_filter( $this->relay->requests(), static fn ( $request ) => $request['method'] === 'PUT' );
		return json_decode( end( $puts )['body'], true );
	}

	private function assertRefuses( string $part, array $values = [], bool $twice = false ): void {
		try {
			$this->rotation( $values )->rotate( $twice );
			$this->fail( "it rotates, but should have said: $part" );
		} catch ( RuntimeException $e ) {
			$this->assertStringContainsString( $part, $e->getMessage() );
		}
	}

	public function testNobodyIsDropped(): void {
		$said = $this->rotation()->rotate();
		$current = $this->generations()->current( 'mydb:' );
		$this->assertSame( [ 1, self::NOW, null ], [ $current->number, $current->rotated, $current->problem ] );
		$wiki = Fixtures::wiki( [], $current );
		$registration = $this->registration();
		$this->assertSame( base64_encode( $wiki->key ), $registration['key'] );
		$this->assertSame( [ base64_encode( Fixtures::wiki()->key ) ], $registration['keys'] );
		$this->assertStringContainsString( '2025-06-17T15:06:40Z', $said, 'when the old key ends' );
		$this->assertStringContainsString( $this->generations()->getFile( 'mydb:' ), $said, 'what to keep' );
		foreach ( [ $registration['key'], $registration['keys'][0] ] as $key ) {
			$this->assertStringNotContainsString( $key, $said );
		}
	}

	public function testFileIsForThisUserOnlyAndHasNoKeyInIt(): void {
		$this->rotation()->rotate();
		[ $file ] = glob( "{$this->relay->directory}/key-*" );
		$this->assertSame( 0600, fileperms( $file ) & 0777 );
		$this->assertSame( '{"generation":1,"rotated":' . self::NOW . "}\n", file_get_contents( $file ) );
	}

	public function testSecondRotationWouldDropPages(): void {
		$this->rotation()->rotate();
		$this->assertRefuses( '--force' );
		$this->assertSame( 1, $this->generations()->current( 'mydb:' )->number );
		$this->rotation()->rotate( true );
		$this->assertSame( 2, $this->generations()->current( 'mydb:' )->number );

		ConvertibleTimestamp::setFakeTime( self::NOW + KeyGeneration::OVERLAP_SECONDS );
		$this->rotation()->rotate();
		$this->assertSame( 3, $this->generations()->current( 'mydb:' )->number );
	}

	public function testWikisThatShareAFolderDoNotShareAKey(): void {
		$this->rotation( [ 'DBname' => 'other' ] )->rotate();
		$this->assertSame( 0, $this->generations()->current( 'mydb:' )->number );
		$this->assertSame( 1, $this->generations()->current( 'other:' )->number );
		$this->rotation()->rotate();
		$this->assertSame( 1, $this->generations()->current( 'other:' )->number );
	}

	public function testKeyThatTheRelayDoesNotTakeIsNotUsed(): void {
		$this->useRelay( 'refuse-wiki' );
		$this->assertRefuses( 'no such key' );
		$this->assertSame( 0, $this->generations()->current( 'mydb:' )->number );
	}

	/** A request that began before, or a job runner that has been running for days. */
	public function testOldProcessDoesNotBringBackAStolenKey(): void {
		$old = $this->registrar();
		$this->assertTrue( $old->register()->isOk() );
		$this->rotation()->rotate();
		$registration = $this->registration();
		$answer = $old->register();
		$this->assertSame( RelayAnswer::OUTDATED, $answer->status );
		$this->assertStringContainsString( 'start it again', $answer->message );
		$this->assertSame( $registration, $this->registration() );
		$this->assertTrue( $this->registrar()->register()->isOk() );
	}

	public function testWithoutRelay(): void {
		$directory = $this->relay->directory;
		unlink( "$directory/control.sock" );
		$this->assertStringContainsString( 'There is no relay now', $this->rotation()->rotate() );
		$this->assertSame( 1, $this->generations()->current( 'mydb:' )->number );
	}

	public function testWhereTheAdministratorHasToDoIt(): void {
		$key = base64_encode( random_bytes( 32 ) );
		$this->assertRefuses( '$wgWebSocketOldKeys', [ 'WebSocketKey' => $key ] );
		$this->assertRefuses( '"keys"', [ 'WebSocketRelay' => '10.0.0.7:1729' ] );
		$this->assertRefuses( '$wgSecretKey', [ 'SecretKey' => '' ] );
		$this->assertRefuses( 'view a page', [ 'WebSocketDirectory' => "{$this->relay->directory}/missing" ] );
		$this->assertSame( [], $this->relay->requests() );
	}

	/** The wiki could not read the file, and would have no key. */
	public function testFolderOfAnotherUser(): void {
		$directory = '/';
		if ( fileowner( $directory ) === posix_geteuid() ) {
			$directory = "{$this->relay->directory}/other";
			mkdir( $directory, 0700 );
			chown( $directory, 65534 );
		}
		$problem = $this->generations( [ 'WebSocketDirectory' => $directory ] )->getProblem();
		$this->assertStringContainsString( 'as that user', $problem );
	}

	public static function damagedFiles(): array {
		return [
			'empty' => [ '' ],
			'cut' => [ '{"generation":3' ],
			'not a number' => [ '{"generation":"3","rotated":1750000000}' ],
			'fraction' => [ '{"generation":3.5,"rotated":1750000000}' ],
			'zero' => [ '{"generation":0,"rotated":1750000000}' ],
			'negative' => [ '{"generation":-1,"rotated":1750000000}' ],
			'no time' => [ '{"generation":3}' ],
			'array' => [ '[3,1750000000]' ],
			'null' => [ 'null' ],
			'long' => [ str_repeat( ' ', 300 ) . '{"generation":3,"rotated":1750000000}' ],
		];
	}

	/**
	 * @dataProvider damagedFiles
	 */
	public function testDamagedFileDoesNotBringBackAStolenKey( string $content ): void {
		$this->rotation()->rotate();
		[ $file ] = glob( "{$this->relay->directory}/key-*" );
		file_put_contents( $file, $content );
		$current = $this->generations()->current( 'mydb:' );
		$this->assertStringContainsString( $file, $current->problem );
		$this->assertStringContainsString( '{"generation":N,"rotated":T}', $current->problem, 'it says what to do' );
		$this->assertNull( Fixtures::wiki( [], $current )->key );
		$this->assertRefuses( $file );
	}

	public function testNeighbourDoesNotChooseTheKey(): void {
		$this->rotation()->rotate();
		chmod( $this->relay->directory, 0777 );
		$current = $this->generations()->current( 'mydb:' );
		chmod( $this->relay->directory, 0700 );
		$this->assertStringContainsString( 'mode 700', $current->problem );
		$this->assertNull( Fixtures::wiki( [], $current )->key );
	}
}

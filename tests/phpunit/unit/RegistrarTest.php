<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Keys\KeyGeneration;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Relay\Registrar
 */
class RegistrarTest extends MediaWikiUnitTestCase {
	private FakeRelay $relay;

	protected function setUp(): void {
		parent::setUp();
		$this->relay = new FakeRelay( 'ok' );
	}

	protected function tearDown(): void {
		$this->relay->stop();
		parent::tearDown();
	}

	private function registrar(
		array $values = [],
		bool $public = true,
		array $servers = [ '//wiki.example' ],
		bool $maySend = true
	): Registrar {
		return new Registrar(
			Fixtures::client( $this->relay->directory ),
			Fixtures::wiki( $values ),
			Fixtures::settings( $values ),
			Fixtures::types( $values ),
			Fixtures::groupPermissions( [ 'read' => $public, 'websocket-send' => $maySend ] ),
			$servers
		);
	}

	private function methods(): string {
		return implode( ' ', array_column( $this->relay->requests(), 'method' ) );
	}

	public function testRegistersOnceUntilSomethingChanges(): void {
		$this->assertTrue( $this->registrar()->register()->isOk() );
		$this->assertSame( 'HEAD PUT', $this->methods(), 'the relay did not know the wiki' );
		$this->assertTrue( $this->registrar()->register()->isOk() );
		$this->assertSame( 'HEAD PUT HEAD', $this->methods(), 'it does now' );
		$this->assertTrue( $this->registrar( [], false )->register()->isOk() );
		$this->assertSame( 'HEAD PUT HEAD HEAD PUT', $this->methods(), 'the wiki has become private' );
	}

	public function testWhatItTells(): void {
		$values = [ 'DBprefix' => 'p_', 'WebSocketOrigins' => [ 'https://m.wiki.example' ] ];
		$this->registrar( $values, true, [ '//wiki.example', 'https://wiki.example' ] )->register();
		$request = $this->relay->requests()[1];
		$this->assertSame( '/api/wikis/p_mydb%3A', $request['path'] );
		$body = json_decode( $request['body'], true );
		$this->assertSame( base64_encode( Fixtures::wiki( $values )->key ), $body['key'] );
		$this->assertSame(
			[ 'https://m.wiki.example', 'https://wiki.example', 'http://wiki.example' ],
			$body['origins']
		);
	}

	public function testPagesFromBeforeARotationKeepTheirConnection(): void {
		$configured = random_bytes( 32 );
		$values = [ 'WebSocketOldKeys' => [ base64_encode( $configured ), base64_encode( $configured ) ] ];
		$next = Fixtures::wiki( $values, new KeyGeneration( 1, time() ) );
		$this->assertTrue( $this->registrar( $values )->register( $next )->isOk() );
		$body = json_decode( $this->relay->requests()[1]['body'], true );
		$this->assertSame( base64_encode( $next->key ), $body['key'] );
		$this->assertSame( [ base64_encode( Fixtures::wiki()->key ), base64_encode( $configured ) ], $body['keys'] );
	}

	public function testLookingChangesNothing(): void {
		$this->assertSame( 404, $this->registrar()->check()->status );
		$this->registrar()->register();
		$this->assertSame( 304, $this->registrar()->check()->status );
		$this->assertSame( 200, $this->registrar( [], false )->check()->status );
		$this->assertSame( 'HEAD HEAD PUT HEAD HEAD', $this->methods() );
	}

	public static function goldenRegistrations(): array {
		$file = __DIR__ . '/../../../relay/wire/testdata/registration.json';
		$cases = json_decode( file_get_contents( $file ), true, 512, JSON_THROW_ON_ERROR );
		return array_combine( array_column( $cases, 'name' ), array_map( static fn ( $case ) => [ $case ], $cases ) );
	}

	/**
	 * @dataProvider goldenRegistrations
	 */
	public function testTellsWhatIsDeclaredInTheRelaysWords( array $case ): void {
		$values = $case['settings'] + [ 'WebSocketKey' => $case['body']['key'] ];
		$log = $this->createMock( TroubleLog::class );
		$log->expects( isset( $case['problems'] ) ? $this->once() : $this->never() )->method( 'error' )
			->willReturnCallback( function ( $message, $problem ) use ( $case ) {
				$this->assertCount( $case['problems'], explode( '; ', $problem ), $problem );
				$this->assertMatchesRegularExpression( '/^[\x20-\x7e]+$/D', $problem );
			} );
		$types = Fixtures::types( $values, $case['attribute'], $log );
		$registrar = new Registrar(
			Fixtures::client( $this->relay->directory ),
			Fixtures::wiki( $values ),
			Fixtures::settings( $values ),
			$types,
			Fixtures::groupPermissions( $case['rights'] ),
			[ 'https://wiki.example' ]
		);
		$registrar->register();
		$request = $this->relay->requests()[1];
		$this->assertSame( '/api/wikis/' . rawurlencode( $case['wiki'] ), $request['path'] );
		$this->assertSame( $case['body'], json_decode( $request['body'], true ) );
		foreach ( $case['decides'] as $type => $pattern ) {
			$match = $types->match( $type );
			$own = str_starts_with( $type, $case['wiki'] ) ? $case['wiki'] : '';
			$found = $match?->declaration ? $own . $match->declaration->pattern->forRelay() : null;
			$this->assertSame( $pattern, $found, "for $type the wiki finds the policy that the relay finds" );
		}
	}

	public function testPassesOnThatThereIsNoRelay(): void {
		$registrar = $this->registrar();
		$this->relay->stop();
		$this->assertSame( RelayAnswer::ABSENT, $registrar->register()->status );
		$this->relay = new FakeRelay( 'ok' );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Relay\RelayAddress;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Relay\RelayClient;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiUnitTestCase;
use Psr\Log\LoggerInterface;

/**
 * What a relay can do to a request of the wiki. Each test that has to do with time checks that the time is bounded at
 * all, with ten times the budget, because machines that run tests are slow.
 *
 * @covers \MediaWiki\Extension\WebSocket\Relay\RelayClient
 * @covers \MediaWiki\Extension\WebSocket\Relay\RelayAddress
 */
class RelayClientTest extends MediaWikiUnitTestCase {
	private const BUDGET_SECONDS = 0.1;
	private const BOUND_SECONDS = 1.0;

	private string $directory;
	private ?FakeRelay $relay = null;

	/** @var resource[] */
	private array $sockets = [];

	protected function setUp(): void {
		parent::setUp();
		$this->directory = FakeRelay::newDirectory();
	}

	protected function tearDown(): void {
		array_map( 'fclose', $this->sockets );
		if ( $this->relay ) {
			$this->relay->stop();
		} else {
			FakeRelay::removeDirectory( $this->directory );
		}
		parent::tearDown();
	}

	private function start( string $mode ): void {
		$this->relay = new FakeRelay( $mode, $this->directory );
	}

	private function listen( string $address, array $options = [] ): string {
		$server = stream_socket_server( $address, $code, $error, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN,
			stream_context_create( [ 'socket' => $options ] ) );
		$this->sockets[] = $server;
		return stream_socket_get_name( $server, false );
	}

	private function client( array $settings = [], ?LoggerInterface $logger = null ): RelayClient {
		$settings += [ 'WebSocketPublishTimeout' => self::BUDGET_SECONDS ];
		return Fixtures::client( $this->directory, $settings, $logger );
	}

	private function assertTimesOut( RelayClient $client, string $body = '{}' ): void {
		$start = microtime( true );
		$answer = $client->post( '/api/publish', [], $body );
		$this->assertLessThan( self::BOUND_SECONDS, microtime( true ) - $start );
		$this->assertSame( RelayAnswer::TIMEOUT, $answer->status );
	}

	public function testRequestIsHttp(): void {
		$this->start( 'ok' );
		$body = '{"messages":["Zoë"]}';
		$answer = $this->client()->post( '/api/publish', [ 'Authorization' => 'Bearer x.y' ], $body );
		$this->assertTrue( $answer->isOk() );
		$this->assertSame( 200, $answer->status );
		$request = $this->relay->requests()[0];
		$this->assertSame( 'POST /api/publish', "$request[method] $request[path]" );
		$this->assertSame( $body, $request['body'] );
		$this->assertSame( [
			'host' => 'relay',
			'connection' => 'close',
			'authorization' => 'Bearer x.y',
			'content-type' => 'application/json',
			'content-length' => (string)strlen( $body ),
		], $request['headers'] );
	}

	public function testLargeBodyArrivesWhole(): void {
		$this->start( 'ok' );
		$body = '"' . str_repeat( 'x', 1 << 20 ) . '"';
		$client = $this->client( [ 'WebSocketPublishTimeout' => 10 ] );
		$this->assertTrue( $client->post( '/api/publish', [], $body )->isOk() );
		$this->assertSame( md5( $body ), md5( $this->relay->requests()[0]['body'] ) );
	}

	public function testErrorMessageOfTheRelay(): void {
		$this->start( 'refuse-bad' );
		$answer = $this->client()->post( '/api/publish', [], '{"type":"bad"}' );
		$this->assertSame( [ 403, 'message 0: bad type' ], [ $answer->status, $answer->message ] );
		$this->assertFalse( $answer->isOk() );
	}

	public function testErrorMessageInChunksIsOneLine(): void {
		$this->start( 'chunked' );
		$answer = $this->client()->post( '/api/publish', [], '{}' );
		$this->assertSame( [ 400, 'line break' ], [ $answer->status, $answer->message ] );
	}

	public function testRefusalBeforeTheBodyIsRead(): void {
		$this->start( 'early' );
		$client = $this->client( [ 'WebSocketPublishTimeout' => 10 ] );
		$answer = $client->post( '/api/publish', [], str_repeat( 'x', 4 << 20 ) );
		$this->assertContains( $answer->status, [ 413, RelayAnswer::BROKEN ] );
	}

	public function testHangingUpAndOtherProtocolsAreNoTimeouts(): void {
		$this->start( 'hangup' );
		$this->assertSame( RelayAnswer::BROKEN, $this->client()->post( '/', [], '{}' )->status );
		$this->relay->stop();
		$this->directory = FakeRelay::newDirectory();
		$this->start( 'garbage' );
		$this->assertSame( RelayAnswer::BROKEN, $this->client()->post( '/', [], '{}' )->status );
	}

	public function testNobodyThere(): void {
		$name = $this->listen( 'tcp://127.0.0.1:0' );
		fclose( array_pop( $this->sockets ) );
		$logger = $this->createMock( LoggerInterface::class );
		$logger->expects( $this->never() )->method( $this->anything() );
		$client = $this->client( [ 'WebSocketListen' => $name ], $logger );
		$this->assertSame( RelayAnswer::ABSENT, $client->post( '/', [], '{}' )->status );
		$this->assertSame( RelayAnswer::ABSENT, $client->control( 'HEAD', '/' )->status );
		$this->assertSame( RelayAnswer::ABSENT, $client->post( '/', [], '{}' )->status, 'it is asked again' );
	}

	public function testPortIsUsedWhereThereIsNoControlSocket(): void {
		$elsewhere = new FakeRelay( 'ok' );
		$client = $this->client( [ 'WebSocketRelay' => "unix:{$elsewhere->directory}/control.sock" ] );
		$this->assertTrue( $client->post( '/', [], '{}' )->isOk() );
		$this->assertTrue( $client->control( 'PUT', '/api/wikis/x', [], '{}' )->isOk(), 'that is one too' );
		$elsewhere->stop();

		$name = $this->listen( 'tcp://127.0.0.1:0' );
		$client = $this->client( [ 'WebSocketListen' => $name ] );
		$this->assertTimesOut( $client );
		$accepted = stream_socket_accept( $this->sockets[0], 5 );
		$this->assertStringStartsWith( 'POST /api/publish HTTP/1.1', fread( $accepted, 8192 ) );
	}

	public function testRegistrationNeverGoesToThePort(): void {
		$name = $this->listen( 'tcp://127.0.0.1:0' );
		$client = $this->client( [ 'WebSocketListen' => $name ] );
		$this->assertSame( RelayAnswer::ABSENT, $client->control( 'PUT', '/api/wikis/x', [], 'the key' )->status );
		$client = $this->client( [ 'WebSocketRelay' => $name ] );
		$this->assertSame( RelayAnswer::ABSENT, $client->control( 'PUT', '/api/wikis/x', [], 'the key' )->status );
	}

	public function testKeyIsNotGivenToWhoeverMadeASocketInAPublicFolder(): void {
		$this->start( 'ok' );
		$this->assertTrue( $this->client()->control( 'PUT', '/api/wikis/x', [], 'the key' )->isOk() );
		chmod( $this->directory, 0777 );
		$answer = $this->client()->control( 'PUT', '/api/wikis/x', [], 'the key' );
		chmod( $this->directory, 0700 );
		$this->assertSame( RelayAnswer::ABSENT, $answer->status );
		$this->assertCount( 1, $this->relay->requests() );
	}

	public function testRelayThatNeverAnswers(): void {
		$this->listen( "unix://{$this->directory}/control.sock" );
		$this->assertTimesOut( $this->client() );
	}

	public function testRelayThatNeverReads(): void {
		$this->listen( "unix://{$this->directory}/control.sock" );
		$this->assertTimesOut( $this->client(), str_repeat( 'x', 8 << 20 ) );
	}

	public function testRelayThatTrickles(): void {
		$this->start( 'trickle' );
		$this->assertTimesOut( $this->client() );
	}

	public function testConnectThatHangs(): void {
		$name = $this->listen( 'tcp://127.0.0.1:0', [ 'backlog' => 1 ] );
		for ( $i = 0; $i < 8; $i++ ) {
			// The kernel takes a few into the queue that nobody accepts from, and drops the others.
			$this->sockets[] = stream_socket_client( "tcp://$name", $code, $error, 1,
				STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT );
		}
		$this->assertTimesOut( $this->client( [ 'WebSocketRelay' => $name ] ) );
	}

	public function testRelayThatHungIsLeftAlone(): void {
		$logger = $this->createMock( LoggerInterface::class );
		$logger->expects( $this->once() )->method( 'error' );
		$this->listen( "unix://{$this->directory}/control.sock" );
		$this->assertTimesOut( $this->client( [], $logger ) );
		stream_socket_accept( $this->sockets[0], 1 );
		$next = $this->client( [], $logger );
		$this->assertSame( RelayAnswer::RESTING, $next->post( '/', [], '{}' )->status );
		$this->assertSame( RelayAnswer::RESTING, $next->control( 'HEAD', '/' )->status );
		$read = [ $this->sockets[0] ];
		$none = null;
		$this->assertSame( 0, stream_select( $read, $none, $none, 0 ), 'nobody has connected' );

		touch( "{$this->directory}/cooldown-relay-timeout", time() - 1 );
		$this->assertTimesOut( $this->client() );
	}

	public function testWhatMustNotGetLostIsAskedOfARelayThatIsLeftAlone(): void {
		$this->start( 'slow' );
		touch( "{$this->directory}/cooldown-relay-timeout", time() + 30 );
		$client = $this->client();
		$this->assertSame( RelayAnswer::RESTING, $client->post( '/api/publish', [], '{}' )->status );
		$this->assertTrue( $client->insist( '/api/disconnect', [], '{}' )->isOk(), 'and has more time' );
		$this->assertFileDoesNotExist( "{$this->directory}/cooldown-relay-hang" );
		$this->assertTrue( $client->post( '/api/publish', [], '{}' )->isOk(), 'and then everybody asks it again' );
	}

	public function testRelayThatHangsKeepsNobodyWaitingForEachThingThatMustNotGetLost(): void {
		$this->listen( "unix://{$this->directory}/control.sock" );
		$start = microtime( true );
		$this->assertSame( RelayAnswer::TIMEOUT, $this->client()->insist( '/', [], '{}' )->status );
		for ( $i = 0; $i < 100; $i++ ) {
			$this->assertSame( RelayAnswer::RESTING, $this->client()->insist( '/', [], '{}' )->status );
		}
		$this->assertLessThan( 4, microtime( true ) - $start );
		$this->assertSame( RelayAnswer::RESTING, $this->client()->post( '/', [], '{}' )->status, 'events rest too' );
	}

	public function testReadsWhatTheRelayKnows(): void {
		$this->start( 'ok' );
		$answer = $this->client()->get( '/api/stats', [ 'Authorization' => 'Bearer x' ] );
		$this->assertTrue( $answer->isOk() );
		$this->assertSame( '1.2.3', json_decode( $answer->body, true )['version'] );
		$request = $this->relay->requests()[0];
		$this->assertSame( 'GET /api/stats', "$request[method] $request[path]" );
		$this->assertSame( 'Bearer x', $request['headers']['authorization'] );
		$this->assertSame( '', $this->client()->post( '/api/publish', [], '{}' )->body, 'nobody has asked for it' );
	}

	public function testEndlessAnswerDoesNotFillTheMemory(): void {
		$this->start( 'large' );
		$client = $this->client( [ 'WebSocketPublishTimeout' => 10 ] );
		$answer = $client->get( '/api/stats' );
		$this->assertSame( [ RelayAnswer::BROKEN, '' ], [ $answer->status, $answer->body ] );
		$this->assertStringContainsString( '1048576', $answer->message );
	}

	public function testErrorsOfAQuestion(): void {
		$this->start( 'unknown-wiki' );
		$answer = $this->client()->get( '/api/stats' );
		$this->assertSame( [ 401, 'unknown wiki' ], [ $answer->status, $answer->message ] );
		$this->relay->stop();
		$this->directory = FakeRelay::newDirectory();
		$this->start( 'hangup' );
		$this->assertSame( RelayAnswer::BROKEN, $this->client()->get( '/api/stats' )->status );
	}

	public function testMaintenanceScriptAsksARelayThatIsLeftAlone(): void {
		$this->start( 'ok' );
		touch( "{$this->directory}/cooldown-relay-timeout", time() + 30 );
		$client = $this->client();
		$this->assertSame( RelayAnswer::RESTING, $client->get( '/api/stats' )->status );
		$client->bePatient();
		$this->assertTrue( $client->get( '/api/stats' )->isOk() );
	}

	public static function addresses(): array {
		return [
			[ [], 'tcp://127.0.0.1:1729' ],
			[ [ 'WebSocketPort' => 80 ], 'tcp://127.0.0.1:80' ],
			[ [ 'WebSocketListen' => ':81' ], 'tcp://127.0.0.1:81' ],
			[ [ 'WebSocketListen' => '0.0.0.0:81' ], 'tcp://127.0.0.1:81' ],
			[ [ 'WebSocketListen' => '[::]:81' ], 'tcp://[::1]:81' ],
			[ [ 'WebSocketListen' => '10.0.0.7:81' ], 'tcp://10.0.0.7:81' ],
			[ [ 'WebSocketRelay' => '10.0.0.7:81' ], 'tcp://10.0.0.7:81' ],
			[ [ 'WebSocketRelay' => 'unix:/x' ], null ],
		];
	}

	/**
	 * @dataProvider addresses
	 */
	public function testAddressOfThePort( array $values, ?string $expected ): void {
		$address = new RelayAddress( Fixtures::settings( $values ), Fixtures::directory( $values ) );
		$this->assertSame( $expected, $address->public );
	}
}

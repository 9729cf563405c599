<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Relay\RelayManager;
use MediaWiki\Extension\WebSocket\Relay\RelayStarter;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWikiUnitTestCase;
use RuntimeException;
use TestLogger;

/**
 * @covers \MediaWiki\Extension\WebSocket\Relay\RelayManager
 * @covers \MediaWiki\Extension\WebSocket\TroubleLog
 */
class RelayManagerTest extends MediaWikiUnitTestCase {
	private string $directory;
	private TestLogger $logger;
	private string $fingerprint = 'way';
	private Backlog $backlog;

	protected function setUp(): void {
		parent::setUp();
		$this->directory = FakeRelay::newDirectory();
		$this->logger = new TestLogger( true, null, true );
		$this->backlog = $this->createMock( Backlog::class );
	}

	protected function tearDown(): void {
		FakeRelay::removeDirectory( $this->directory );
		parent::tearDown();
	}

	/**
	 * @param RelayAnswer[] $answers Of registering, in turn
	 * @param int $starts How often the relay must be started
	 * @param array $values Settings
	 * @param bool $isCommandLine
	 * @param string|null $problem Of starting
	 * @return RelayManager
	 */
	private function manager(
		array $answers, int $starts, array $values = [], bool $isCommandLine = false, ?string $problem = null
	): RelayManager {
		$registrar = $this->createMock( Registrar::class );
		$registrar->expects( $this->exactly( count( $answers ) ) )->method( 'register' )
			->willReturnOnConsecutiveCalls( ...$answers );
		$starter = $this->createMock( RelayStarter::class );
		$starter->expects( $this->exactly( $starts ) )->method( 'start' )->willReturn( $problem );
		$starter->method( 'fingerprint' )->willReturn( $this->fingerprint );
		$cooldown = Fixtures::cooldown( $this->directory );
		return new RelayManager(
			Fixtures::settings( $values ),
			Fixtures::wiki( $values ),
			$registrar,
			$starter,
			$cooldown,
			new TroubleLog( $cooldown, $this->logger ),
			fn () => $this->backlog,
			$isCommandLine
		);
	}

	private function log(): string {
		return implode( "\n", array_map(
			static fn ( $entry ) => strtr( $entry[1], [ '{problem}' => $entry[2]['problem'] ] ),
			$this->logger->getBuffer()
		) );
	}

	public function testRelayThatKnowsTheWiki(): void {
		$this->backlog->expects( $this->never() )->method( 'runNow' );
		$this->manager( [ new RelayAnswer( 200 ) ], 0 )->ensure();
		$this->assertSame( '', $this->log() );
	}

	public function testStartsTheRelayAndRegisters(): void {
		$this->backlog->expects( $this->once() )->method( 'runNow' );
		$this->manager( [ new RelayAnswer( RelayAnswer::ABSENT ), new RelayAnswer( 200 ) ], 1 )->ensure();
		$this->assertSame( '', $this->log() );
	}

	public static function whoStartsNothing(): array {
		return [
			'maintenance script' => [ [], true ],
			'told so' => [ [ 'WebSocketAutostart' => false ], false ],
			'relay behind a socket elsewhere' => [ [ 'WebSocketRelay' => 'unix:/run/x.sock' ], false ],
			'bad setting' => [ [ 'WebSocketPort' => '; touch x' ], false ],
		];
	}

	/**
	 * @dataProvider whoStartsNothing
	 */
	public function testStartsNothing( array $values, bool $isCommandLine ): void {
		$this->manager( [ new RelayAnswer( RelayAnswer::ABSENT ) ], 0, $values, $isCommandLine )->ensure();
		$this->assertSame( isset( $values['WebSocketPort'] ), str_contains( $this->log(), '$wgWebSocketPort' ) );
	}

	public function testRelayOnAnotherMachineIsLeftAlone(): void {
		$this->manager( [], 0, [ 'WebSocketRelay' => '10.0.0.7:1729' ] )->ensure();
		$this->assertSame( '', $this->log() );
	}

	public function testPagesThatPollNeedNoRelay(): void {
		$this->manager( [], 0, [ 'WebSocketPolling' => 5, 'SecretKey' => '' ] )->ensure();
		$this->assertSame( '', $this->log(), 'nor a key' );
		$this->manager( [], 0, [ 'WebSocketPolling' => 5, 'WebSocketPort' => 'nonsense' ] )->ensure();
		$this->assertStringContainsString( 'WebSocketPort', $this->log() );
		$this->assertStringNotContainsString( 'no relay is started', $this->log() );
	}

	public function testWithoutKey(): void {
		$this->manager( [], 0, [ 'SecretKey' => '' ] )->ensure();
		$this->assertStringContainsString( '$wgSecretKey', $this->log() );
	}

	public function testRelayThatHangsIsNotStartedAgain(): void {
		$this->manager( [ new RelayAnswer( RelayAnswer::TIMEOUT ) ], 0 )->ensure();
		$this->manager( [ new RelayAnswer( RelayAnswer::RESTING ) ], 0 )->ensure();
		$this->assertSame( '', $this->log() );
	}

	public function testAfterAFailureItWaits(): void {
		$absent = new RelayAnswer( RelayAnswer::ABSENT );
		$this->manager( [ $absent ], 1, [], false, 'chmod +x it' )->ensure();
		$this->assertSame( 'The relay was not started: chmod +x it', $this->log() );
		$this->manager( [ $absent ], 0, [], false, 'chmod +x it' )->ensure();
		touch( "{$this->directory}/cooldown-start-way", time() - 1 );
		$this->manager( [ $absent ], 1, [], false, 'chmod +x it' )->ensure();
		$this->assertCount( 1, $this->logger->getBuffer(), 'the same trouble is not logged with each view' );
		touch( "{$this->directory}/cooldown-start-way", time() - 1 );
		$this->manager( [ $absent ], 1, [], false, 'something else' )->ensure();
		$this->assertCount( 2, $this->logger->getBuffer(), 'other trouble is' );
		$this->fingerprint = 'other-way';
		$this->manager( [ $absent, new RelayAnswer( 200 ) ], 1 )->ensure();
	}

	public function testRefusedRegistrationIsLogged(): void {
		$this->manager( [ new RelayAnswer( 400, 'bad origin' ) ], 0 )->ensure();
		$this->assertSame( 'The relay does not register this wiki: 400 bad origin', $this->log() );
	}

	public function testNeverThrows(): void {
		$registrar = $this->createMock( Registrar::class );
		$registrar->method( 'register' )->willThrowException( new RuntimeException( 'boom' ) );
		$cooldown = Fixtures::cooldown( $this->directory );
		$manager = new RelayManager(
			Fixtures::settings(), Fixtures::wiki(), $registrar, $this->createMock( RelayStarter::class ), $cooldown,
			new TroubleLog( $cooldown, $this->logger ),
			fn () => $this->backlog, false
		);
		$manager->ensure();
		$this->assertStringContainsString( 'boom', $this->log() );
	}
}

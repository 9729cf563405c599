<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use DeferredUpdates;
use MediaWiki\Extension\WebSocket\AfterCommit;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Revocation\RevokeJob;
use MediaWiki\Extension\WebSocket\Revocation\Revoker;
use MediaWiki\Extension\WebSocket\Tests\PublishingTestCase;
use Psr\Log\LogLevel;
use TestLogger;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * @covers \MediaWiki\Extension\WebSocket\Revocation\Revoker
 * @covers \MediaWiki\Extension\WebSocket\Revocation\RevokeJob
 * @covers \MediaWiki\Extension\WebSocket\Revocation\RevokeUpdate
 * @covers \MediaWiki\Extension\WebSocket\FlushUpdate
 * @covers \MediaWiki\Extension\WebSocket\AfterCommit
 * @covers \MediaWiki\Extension\WebSocket\ExtensionRegistration
 * @group Database
 */
class RevokerTest extends PublishingTestCase {
	private const NOW = 1750000000;

	private TestLogger $logger;

	/** @var resource|null */
	private $deaf = null;

	protected function setUp(): void {
		parent::setUp();
		$this->logger = new TestLogger( true, null, true );
		$this->setLogger( 'WebSocket', $this->logger );
		$this->getServiceContainer()->getJobQueueGroup()->get( Revoker::JOB )->delete();
	}

	protected function tearDown(): void {
		ConvertibleTimestamp::setFakeTime( false );
		if ( $this->deaf ) {
			fclose( $this->deaf );
		}
		parent::tearDown();
	}

	private function revoker(): Revoker {
		return $this->getServiceContainer()->getService( 'WebSocket.Revoker' );
	}

	/** @return RevokeJob[] Those that wait, which then do not wait any more */
	private function jobs(): array {
		$queue = $this->getServiceContainer()->getJobQueueGroup()->get( Revoker::JOB );
		$queue->flushCaches();
		$jobs = [];
		while ( $job = $queue->pop() ) {
			$queue->ack( $job );
			$jobs[] = $job;
		}
		return $jobs;
	}

	/** A relay that takes connections and says nothing. */
	private function useDeafRelay( float $seconds ): void {
		unlink( "{$this->relay->directory}/control.sock" );
		$this->deaf = stream_socket_server( "unix://{$this->relay->directory}/control.sock" );
		$this->overrideSettings( [ 'WebSocketPublishTimeout' => $seconds ] );
	}

	/** @return string[] */
	private function logged( string $level ): array {
		$entries = array_filter( $this->logger->getBuffer(), static fn ( $entry ) => $entry[0] === $level );
		return array_values( array_column( $entries, 1 ) );
	}

	public function testRelayIsAskedOnceForEachTarget(): void {
		ConvertibleTimestamp::setFakeTime( self::NOW );
		DeferredUpdates::addCallableUpdate( function () {
			$this->revoker()->revokeUser( 'Zoë "x"' );
			$this->revoker()->revokeSession( 'abc' );
			$this->revoker()->revokeUser( 'Zoë "x"' );
			$this->revoker()->revokeType( 'mydb:@page/7' );
		} );
		DeferredUpdates::doUpdates();
		$this->assertSame( [
			[ 'user' => 'Zoë "x"', 'before' => self::NOW ],
			[ 'session' => 'abc', 'before' => self::NOW ],
			[ 'type' => 'mydb:@page/7', 'before' => self::NOW ],
		], $this->relay->revoked() );
		$request = $this->relay->requests()[0];
		$this->assertSame( 'POST', $request['method'] );
		[ , $claims ] = explode( '.', substr( $request['headers']['authorization'], strlen( 'Bearer ' ) ) );
		$this->assertSame( 'publish', json_decode( base64_decode( strtr( $claims, '-_', '+/' ) ), true )['aud'] );
		$this->assertSame( [], $this->jobs() );
	}

	public function testNamelessUserIsNotEverybody(): void {
		$this->revoker()->revokeUser( '' );
		$this->assertSame( [], $this->revoked() );
	}

	public function testNothingIsRevokedThatIsRolledBack(): void {
		$factory = $this->getServiceContainer()->getDBLoadBalancerFactory();
		$factory->beginPrimaryChanges( __METHOD__ );
		$this->revoker()->revokeUser( 'Undone' );
		$this->revoker()->flush();
		$factory->rollbackPrimaryChanges( __METHOD__ );
		$this->assertSame( [], $this->revoked() );

		$factory->beginPrimaryChanges( __METHOD__ );
		$this->revoker()->revokeUser( 'Done' );
		$this->revoker()->flush();
		$this->assertSame( [], $this->relay->revoked(), 'not before the commit' );
		$factory->commitPrimaryChanges( __METHOD__ );
		$this->assertSame( [ [ 'user', 'Done' ] ], $this->revoked() );
	}

	public function testRelayThatHasForgottenTheWikiIsTold(): void {
		$this->useRelay( 'know-registered' );
		$this->revoker()->revokeUser( 'A' );
		DeferredUpdates::doUpdates();
		$this->assertSame( [ 'POST', 'HEAD', 'PUT', 'POST' ], array_column( $this->relay->requests(), 'method' ) );
		$this->assertSame( [], $this->jobs() );
	}

	public function testRevokedUserDoesNotStayBecauseTheRelayWasAway(): void {
		$this->overrideSettings( [ 'WebSocketRelay' => "unix:{$this->relay->directory}/missing.sock" ] );
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$this->revoker()->revokeUser( 'A' );
		DeferredUpdates::doUpdates();
		ConvertibleTimestamp::setFakeTime( self::NOW + 60 );
		foreach ( [ 'the first', 'the second' ] as $which ) {
			$jobs = $this->jobs();
			$this->assertCount( 1, $jobs, "$which job" );
			$this->assertTrue( $jobs[0]->run(), 'the queue does not repeat it as well' );
		}
		$this->assertSame( [], $this->logged( LogLevel::ERROR ) );

		$this->overrideSettings( [ 'WebSocketRelay' => null ] );
		[ $job ] = $this->jobs();
		$job->run();
		$expected = [ 'user' => 'A', 'before' => self::NOW ];
		$this->assertSame( [ $expected ], $this->relay->revoked(), 'the time of the event' );
		$this->assertSame( [], $this->jobs() );
		$job->run();
		$this->assertCount( 2, $this->relay->revoked(), 'once more does no harm' );
	}

	public function testRevokedUserDoesNotStayBecauseTheRelayHung(): void {
		$this->useDeafRelay( 0.1 );
		$this->revoker()->revokeUser( 'A' );
		$this->revoker()->revokeUser( 'B' );
		DeferredUpdates::doUpdates();
		$targets = array_merge( ...array_map( static fn ( $job ) => $job->params['targets'], $this->jobs() ) );
		$this->assertSame( [ [ 'user', 'A' ], [ 'user', 'B' ] ], $targets );
		$this->assertFileExists( "{$this->relay->directory}/cooldown-relay-timeout" );

		// Events are dropped now; this is not.
		$this->revoker()->revokeUser( 'C' );
		DeferredUpdates::doUpdates();
		[ $job ] = $this->jobs();
		$this->assertSame( [ [ 'user', 'C' ] ], $job->params['targets'] );
	}

	public function testHungRelayKeepsNobodyWaitingForEachRevocation(): void {
		$this->useDeafRelay( 0.1 );
		for ( $i = 0; $i < 120; $i++ ) {
			$this->revoker()->revokeUser( "User $i" );
		}
		DeferredUpdates::doUpdates();
		$read = [ $this->deaf ];
		$none = null;
		$connections = 0;
		while ( stream_select( $read, $none, $none, 0 ) ) {
			fclose( stream_socket_accept( $this->deaf, 0 ) );
			$connections++;
			$read = [ $this->deaf ];
		}
		$this->assertSame( 1, $connections, 'only the first has waited' );
		$targets = array_merge( ...array_map( static fn ( $job ) => $job->params['targets'], $this->jobs() ) );
		$this->assertCount( 120, $targets );
	}

	public function testRevocationIsPutOffBecauseAnEventWasTooSlow(): void {
		$this->overrideSettings( [ 'WebSocketPublishTimeout' => 0.1 ] );
		touch( "{$this->relay->directory}/cooldown-relay-timeout", time() + 30 );
		$this->revoker()->revokeUser( 'A' );
		$this->assertSame( [ [ 'user', 'A' ] ], $this->revoked() );
		$this->assertSame( [], $this->jobs() );
	}

	public function testSlowRelayKeepsNobodyWaitingForAllRevocations(): void {
		$this->useRelay( 'slow' );
		$names = range( 'A', 'J' );
		DeferredUpdates::addCallableUpdate( function () use ( $names ) {
			array_map( [ $this->revoker(), 'revokeUser' ], $names );
		} );
		DeferredUpdates::doUpdates();
		$told = array_column( $this->relay->revoked(), 'user' );
		$this->assertLessThanOrEqual( 3, count( $told ) );
		[ $job ] = $this->jobs();
		$this->assertSame( $names, [ ...$told, ...array_column( $job->params['targets'], 1 ) ] );
	}

	public static function passingTroubles(): array {
		return [ [ '429' ], [ '503' ] ];
	}

	/**
	 * @dataProvider passingTroubles
	 */
	public function testRevocationGetsLostBecauseTheRelayIsBusy( string $mode ): void {
		$this->useRelay( $mode );
		$this->revoker()->revokeUser( 'A' );
		DeferredUpdates::doUpdates();
		[ $job ] = $this->jobs();
		$this->assertSame( [ [ 'user', 'A' ] ], $job->params['targets'] );
		$this->assertSame( [], $this->logged( LogLevel::ERROR ) );
	}

	/** A wiki whose replicas take a while. */
	private function useReplicas( callable $wait ): void {
		$factory = $this->createMock( \Wikimedia\Rdbms\ILBFactory::class );
		$factory->method( 'getMainLB' )->willReturn( $this->getServiceContainer()->getDBLoadBalancer() );
		$factory->method( 'waitForReplication' )->with( [ 'timeout' => 2 ] )->willReturnCallback( $wait );
		$this->setService( 'WebSocket.AfterCommit', new AfterCommit( $factory ) );
		$this->getServiceContainer()->resetServiceForTesting( 'WebSocket.Revoker' );
	}

	public function testReplicaGivesBackTheRightThatWasLost(): void {
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$this->useReplicas( static function () {
			ConvertibleTimestamp::setFakeTime( self::NOW + 1 );
			return true;
		} );
		$this->revoker()->revokeUser( 'A' );
		DeferredUpdates::doUpdates();
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$this->revoker()->revokeNow( 'user', 'A' );
		$this->assertSame( [ self::NOW + 1, self::NOW + 1 ], array_column( $this->relay->revoked(), 'before' ) );
		$this->assertSame( [], $this->logged( LogLevel::WARNING ) );
	}

	public function testReplicasFarBehindKeepNobodyWaitingForEachRevocation(): void {
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$waits = 0;
		$this->useReplicas( static function () use ( &$waits ) {
			$waits++;
			return false;
		} );
		foreach ( [ 'A', 'B', 'C' ] as $name ) {
			$this->revoker()->revokeUser( $name );
			DeferredUpdates::doUpdates();
		}
		$this->assertSame( 1, $waits );
		$this->assertCount( 1, $this->logged( LogLevel::WARNING ) );
		ConvertibleTimestamp::setFakeTime( self::NOW + 30 );
		$this->revoker()->revokeNow( 'user', 'D' );
		$this->assertSame( 2, $waits );
		$this->assertSame( [ 'A', 'B', 'C', 'D' ], array_column( $this->relay->revoked(), 'user' ) );
	}

	public function testReplicationThatFailsDoesNotStopARevocation(): void {
		$this->useReplicas( static fn () => throw new \RuntimeException( 'no database' ) );
		$this->revoker()->revokeUser( 'A' );
		$this->assertSame( [ [ 'user', 'A' ] ], $this->revoked() );
	}

	public function testJobsOfOneRequestStaySmall(): void {
		unlink( "{$this->relay->directory}/control.sock" );
		DeferredUpdates::addCallableUpdate( function () {
			for ( $i = 0; $i < 120; $i++ ) {
				$this->revoker()->revokeUser( str_repeat( 'x', 250 ) . $i );
			}
		} );
		DeferredUpdates::doUpdates();
		$jobs = $this->jobs();
		$this->assertSame( [ 50, 50, 20 ], array_map( static fn ( $job ) => count( $job->params['targets'] ), $jobs ) );
		foreach ( $jobs as $job ) {
			$this->assertLessThan( 65535, strlen( serialize( $job->params ) ) );
		}
	}

	public function testGivesUpOnlyWhenTheTokensHaveRunOut(): void {
		$life = $this->getServiceContainer()->getService( 'WebSocket.Settings' )->tokenLife;
		unlink( "{$this->relay->directory}/control.sock" );
		foreach ( [ $life + 300 => 1, $life + 301 => 0 ] as $age => $count ) {
			ConvertibleTimestamp::setFakeTime( self::NOW + $age );
			$this->revoker()->repeat( [ [ 'user', 'A' ] ], self::NOW );
			$this->assertCount( $count, $this->jobs(), "after $age s" );
			$this->assertCount( 1 - $count, $this->logged( LogLevel::WARNING ), 'and says so' );
		}
	}

	public function testWhatTheRelayRefusesIsNotRepeated(): void {
		$this->useRelay( 'refuse-bad' );
		$this->revoker()->revokeUser( 'bad' );
		$this->revoker()->revokeUser( 'good' );
		DeferredUpdates::doUpdates();
		DeferredUpdates::doUpdates();
		$this->assertSame( [], $this->jobs() );
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ) );
		$this->assertSame( [ 'bad', 'good' ], array_unique( array_column( $this->relay->revoked(), 'user' ) ) );
	}

	public function testRelayOfAnotherWikiIsAnErrorInTheLog(): void {
		$this->useRelay( 'unknown-wiki' );
		for ( $i = 0; $i < 3; $i++ ) {
			$this->revoker()->revokeUser( "A$i" );
			DeferredUpdates::doUpdates();
		}
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ), 'not with each of them' );
		$this->assertCount( 3, $this->jobs() );
	}

	public function testWithoutKeyItIsRepeatedUntilThereIsOne(): void {
		$this->overrideSettings( [ 'WebSocketKey' => 'nonsense' ] );
		$this->revoker()->revokeUser( 'A' );
		DeferredUpdates::doUpdates();
		$this->assertStringContainsString( 'Nothing can be revoked', $this->logged( LogLevel::ERROR )[0] );
		$this->overrideSettings( [ 'WebSocketKey' => null ] );
		[ $job ] = $this->jobs();
		$job->run();
		$this->assertSame( [ [ 'user', 'A' ] ], $this->revoked() );
	}

	public function testNowSaysWhatCameOfIt(): void {
		$this->assertTrue( $this->revoker()->revokeNow( 'user', 'A' )->isOk() );
		$this->assertSame( [ [ 'user', 'A' ] ], $this->revoked() );
		unlink( "{$this->relay->directory}/control.sock" );
		$this->assertSame( RelayAnswer::ABSENT, $this->revoker()->revokeNow( 'user', 'A' )->status );
		$this->assertCount( 1, $this->jobs() );
	}

	public function testJobRunnerDoesNotTurnRoundAndRound(): void {
		$this->assertGreaterThan( 0, $GLOBALS['wgJobBackoffThrottling'][Revoker::JOB] );
		$this->assertLessThanOrEqual( 1, $GLOBALS['wgJobBackoffThrottling'][Revoker::JOB] );
	}

	public function testQueueThatFailsIsAnErrorInTheLog(): void {
		$jobs = $this->createMock( \JobQueueGroup::class );
		$jobs->method( 'get' )->willThrowException( new \RuntimeException( 'no queue' ) );
		$this->setService( 'JobQueueGroup', $jobs );
		$this->overrideSettings( [] );
		unlink( "{$this->relay->directory}/control.sock" );
		$this->revoker()->revokeUser( 'A' );
		DeferredUpdates::doUpdates();
		$this->assertStringContainsString( 'got lost', $this->logged( LogLevel::ERROR )[0] );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use DeferredUpdates;
use MediaWiki\Extension\WebSocket\Publisher;
use MediaWiki\Extension\WebSocket\Tests\PublishingTestCase;
use Psr\Log\LogLevel;
use RuntimeException;
use TestLogger;
use Wikimedia\ScopedCallback;

/**
 * @covers \MediaWiki\Extension\WebSocket\Publisher
 * @covers \MediaWiki\Extension\WebSocket\PublishUpdate
 * @group Database
 */
class PublisherTest extends PublishingTestCase {
	private TestLogger $logger;

	protected function setUp(): void {
		parent::setUp();
		$this->logger = new TestLogger( true, null, true );
		$this->setLogger( 'WebSocket', $this->logger );
	}

	private function publisher(): Publisher {
		return $this->getServiceContainer()->getService( 'WebSocket.Publisher' );
	}

	/** @return string[] */
	private function logged( string $level ): array {
		$entries = array_filter( $this->logger->getBuffer(), static fn ( $entry ) => $entry[0] === $level );
		return array_values( array_map(
			static fn ( $entry ) => strtr( $entry[1], [ '{problem}' => $entry[2]['problem'] ?? '' ] ),
			$entries
		) );
	}

	public function testMessagesOfARequestLeaveTogether(): void {
		DeferredUpdates::addCallableUpdate( function () {
			$this->assertTrue( $this->publisher()->publish( 'A', [ 'x' => 1 ], 'WS1', 'WS2' ) );
			$this->assertTrue( $this->publisher()->publish( 'B', 'b' ) );
		} );
		DeferredUpdates::doUpdates();
		$this->assertSame( [ [
			[ 'type' => 'A', 'msg' => [ 'x' => 1 ], 'from' => 'WS1', 'to' => [ 'WS2' ] ],
			[ 'type' => 'B', 'msg' => 'b' ],
		] ], $this->relay->published() );
		$request = $this->relay->requests()[0];
		[ , $claims ] = explode( '.', substr( $request['headers']['authorization'], strlen( 'Bearer ' ) ) );
		$claims = json_decode( base64_decode( strtr( $claims, '-_', '+/' ) ), true );
		$this->assertSame( 'publish', $claims['aud'] );
		$this->assertLessThanOrEqual( 60, $claims['exp'] - time() );
	}

	public function testNothingIsPublishedBeforeTheCommit(): void {
		$factory = $this->getServiceContainer()->getDBLoadBalancerFactory();
		$this->publisher()->publish( 'Before', 1 );
		$this->assertCount( 1, $this->published() );

		$factory->beginPrimaryChanges( __METHOD__ );
		$this->publisher()->publish( 'Inside', 2 );
		$this->publisher()->flush();
		$this->assertSame( [], $this->relay->published() );
		$factory->commitPrimaryChanges( __METHOD__ );
		$this->assertSame( [ [ 'type' => 'Inside', 'msg' => 2 ] ], $this->published() );
	}

	public function testNothingIsPublishedAfterARollback(): void {
		$factory = $this->getServiceContainer()->getDBLoadBalancerFactory();
		$factory->beginPrimaryChanges( __METHOD__ );
		$this->assertTrue( $this->publisher()->publish( 'RolledBack', 1 ) );
		$factory->rollbackPrimaryChanges( __METHOD__ );
		$this->publisher()->publish( 'After', 2 );
		$this->assertSame( [ [ 'type' => 'After', 'msg' => 2 ] ], $this->published() );
	}

	public function testNothingIsPublishedAfterACancelledSection(): void {
		$dbw = $this->getServiceContainer()->getDBLoadBalancer()->getConnection( DB_PRIMARY );
		$dbw->startAtomic( __METHOD__, $dbw::ATOMIC_CANCELABLE );
		$this->publisher()->publish( 'Cancelled', 1 );
		$dbw->cancelAtomic( __METHOD__ );
		$this->assertSame( [], $this->published() );
	}

	public function testLargeBatchIsSplit(): void {
		DeferredUpdates::addCallableUpdate( function () {
			for ( $i = 0; $i < 5; $i++ ) {
				$this->publisher()->publish( "T$i", str_repeat( 'x', 300000 ) );
			}
		} );
		DeferredUpdates::doUpdates();
		$batches = $this->relay->published();
		$this->assertSame( [ 3, 2 ], array_map( 'count', $batches ) );
		$types = array_column( array_merge( ...$batches ), 'type' );
		$this->assertSame( [ 'T0', 'T1', 'T2', 'T3', 'T4' ], $types );
		foreach ( $this->relay->requests() as $request ) {
			$this->assertLessThanOrEqual( 1 << 20, strlen( $request['body'] ) );
		}
	}

	public function testManyMessagesAreSplit(): void {
		DeferredUpdates::addCallableUpdate( function () {
			for ( $i = 0; $i < 1025; $i++ ) {
				$this->publisher()->publish( 'T', $i );
			}
		} );
		DeferredUpdates::doUpdates();
		$this->assertSame( [ 1024, 1 ], array_map( 'count', $this->relay->published() ) );
	}

	public function testOneBadMessageDoesNotTakeTheOthersWithIt(): void {
		$this->useRelay( 'refuse-bad' );
		DeferredUpdates::addCallableUpdate( function () {
			foreach ( [ 'a', 'b', 'bad1', 'c', 'd', 'bad2', 'e' ] as $type ) {
				$this->publisher()->publish( $type, 1 );
			}
		} );
		DeferredUpdates::doUpdates();
		$taken = array_filter( $this->relay->published(),
			static fn ( $batch ) => !preg_grep( '/^bad/', array_column( $batch, 'type' ) ) );
		$types = array_column( array_merge( ...array_values( $taken ) ), 'type' );
		$this->assertSame( [ 'a', 'b', 'c', 'd', 'e' ], $types );
		$this->assertCount( 2, $this->logged( LogLevel::ERROR ) );
	}

	public function testRelayThatHasForgottenTheWikiIsTold(): void {
		$this->useRelay( 'know-registered' );
		$this->publisher()->publish( 'T', 1 );
		DeferredUpdates::doUpdates();
		$this->assertSame(
			[ 'POST', 'HEAD', 'PUT', 'POST' ],
			array_column( $this->relay->requests(), 'method' )
		);
		$this->assertSame( [], $this->logged( LogLevel::ERROR ) );
	}

	public function testRelayThatRefusesTheWikiIsLoggedOnce(): void {
		$this->useRelay( 'unknown-wiki' );
		for ( $i = 0; $i < 3; $i++ ) {
			$this->publisher()->publish( 'T', $i );
			DeferredUpdates::doUpdates();
		}
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ), 'not with each edit' );
		$this->assertStringContainsString( '$wgWebSocketDirectory', $this->logged( LogLevel::ERROR )[0] );
	}

	/** On the web an edit and its recent change come from two deferred updates. */
	public function testMessagesOfSeveralUpdatesLeaveTogether(): void {
		$scope = DeferredUpdates::preventOpportunisticUpdates();
		foreach ( [ 'A', 'B', 'C' ] as $type ) {
			DeferredUpdates::addCallableUpdate( function () use ( $type ) {
				$this->publisher()->publish( $type, 1 );
			} );
		}
		DeferredUpdates::doUpdates();
		ScopedCallback::consume( $scope );
		$this->assertSame( [ 3 ], array_map( 'count', $this->relay->published() ) );
	}

	public static function unsendable(): array {
		return [
			'no type' => [ '', 'm', null, false ],
			'bad type' => [ "\xff", 'm', null, false ],
			'bad message' => [ 'T', "\xff", null, false ],
			'bad recipient' => [ 'T', 'm', null, 'a b' ],
			'message that throws' => [ 'T', new class implements \JsonSerializable {
				public function jsonSerialize(): mixed {
					throw new RuntimeException( 'boom' );
				}
			}, null, false ],
		];
	}

	/**
	 * @dataProvider unsendable
	 */
	public function testMistakeOfAnExtensionIsLoggedAndHarmless( $type, $msg, $from, $to ): void {
		$this->assertFalse( $this->publisher()->publish( $type, $msg, $from, $to ) );
		$this->assertTrue( $this->publisher()->publish( 'Good', 1 ) );
		$this->assertSame( [ [ 'type' => 'Good', 'msg' => 1 ] ], $this->published() );
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ) );
		$this->assertStringStartsWith( 'A message was not sent: ', $this->logged( LogLevel::ERROR )[0] );
	}

	public function testWithoutRelayNothingIsAnError(): void {
		$this->overrideSettings( [ 'WebSocketRelay' => "unix:{$this->relay->directory}/missing.sock" ] );
		$this->assertTrue( $this->publisher()->publish( 'T', 1 ) );
		DeferredUpdates::doUpdates();
		$this->assertSame( [], $this->logged( LogLevel::ERROR ) );
		$this->assertCount( 1, $this->logged( LogLevel::INFO ) );
	}

	public function testMoreThanTheRelayTakesFromOneWikiIsLoggedOnce(): void {
		$this->useRelay( '429' );
		for ( $i = 0; $i < 3; $i++ ) {
			$this->publisher()->publish( 'T', $i );
			DeferredUpdates::doUpdates();
		}
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ), 'not with each edit' );
		$this->assertStringContainsString( 'wikiPublishesPerSecond', $this->logged( LogLevel::ERROR )[0] );
	}

	public function testWithoutKeyNothingIsSent(): void {
		$this->overrideSettings( [ 'WebSocketKey' => 'nonsense' ] );
		for ( $i = 0; $i < 2; $i++ ) {
			$this->publisher()->publish( 'T', $i );
			DeferredUpdates::doUpdates();
		}
		$this->assertSame( [], $this->relay->requests() );
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ), 'not with each edit' );
		$this->assertStringContainsString( '$wgWebSocketKey', $this->logged( LogLevel::ERROR )[0] );
	}
}

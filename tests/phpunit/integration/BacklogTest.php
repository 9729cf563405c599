<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use DeferredUpdates;
use HashBagOStuff;
use IDBAccessObject;
use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Backlog\PublishJob;
use MediaWiki\Extension\WebSocket\Publisher;
use MediaWiki\Extension\WebSocket\Relay\Delivery;
use MediaWiki\Extension\WebSocket\Tests\BacklogTestCase;
use Psr\Log\LogLevel;
use Title;

/**
 * A relay that is stopped, hangs or refuses for a while costs no event of a type that has history.
 *
 * @covers \MediaWiki\Extension\WebSocket\Backlog\Backlog
 * @covers \MediaWiki\Extension\WebSocket\Backlog\PublishJob
 * @covers \MediaWiki\Extension\WebSocket\Relay\Delivery
 * @covers \MediaWiki\Extension\WebSocket\Publisher
 * @group Database
 */
class BacklogTest extends BacklogTestCase {

	public function testStoppedRelayCostsAnEvent(): void {
		$this->loseRelay();
		$this->publish( $this->kept( '1' ), 'Forgotten', $this->kept( '2' ) );
		$this->assertSame( [], $this->arrived() );
		[ $first, $second ] = $this->logged( LogLevel::INFO );
		$this->assertStringContainsString( '1 of them wait for it, 0 are lost', $first );
		$this->assertStringContainsString( '0 of them wait for it, 1 are lost', $second );
		$this->assertCount( 1, $this->jobs(), 'one job does for all' );

		$this->findRelay();
		( new PublishJob( [] ) )->run();
		$this->assertSame( [ $this->kept( '1' ), $this->kept( '2' ) ], $this->arrived() );
		$this->assertFalse( $this->backlog()->isWaiting() );
		$this->assertSame( [], $this->jobs(), 'nothing is left to do' );
		$this->assertSame( [], $this->logged( LogLevel::ERROR ) );
	}

	public function testStoppedRelayLosesAnEdit(): void {
		$this->loseRelay();
		$this->editPage( 'Edited without relay', 'text' );
		DeferredUpdates::doUpdates();
		$id = Title::newFromText( 'Edited without relay' )->getArticleID( IDBAccessObject::READ_LATEST );
		$this->assertGreaterThan( 0, $id, 'it is saved' );
		$this->findRelay();
		$this->emptyQueue();
		$this->assertContains( \WebSocket::wikiID() . "@page/$id", $this->arrived() );
	}

	public function testHungRelayCostsAnEvent(): void {
		unlink( "{$this->relay->directory}/control.sock" );
		$this->deaf = stream_socket_server( "unix://{$this->relay->directory}/control.sock" );
		$this->overrideSettings( [ 'WebSocketPublishTimeout' => 0.1 ] );
		$this->publish( $this->kept( '1' ), $this->kept( '2' ) );
		$read = [ $this->deaf ];
		$none = null;
		$this->assertSame( 1, stream_select( $read, $none, $none, 0 ) );
		fclose( stream_socket_accept( $this->deaf, 0 ) );
		$read = [ $this->deaf ];
		$this->assertSame( 0, stream_select( $read, $none, $none, 0 ), 'only the first has waited' );
		$this->assertTrue( $this->backlog()->isWaiting() );
		$this->useRelay( 'ok' );
		$this->emptyQueue();
		$this->assertSame( [ $this->kept( '1' ), $this->kept( '2' ) ], $this->arrived() );
	}

	public static function passingTroubles(): array {
		return [ [ '429' ], [ '503' ], [ 'unknown-wiki' ], [ 'hangup' ], [ 'garbage' ] ];
	}

	/**
	 * @dataProvider passingTroubles
	 */
	public function testTroubleThatPassesCostsAnEvent( string $mode ): void {
		$this->useRelay( $mode );
		$this->publish( $this->kept( '1' ) );
		$this->publish( $this->kept( '2' ) );
		$jobs = $this->jobs();
		$this->assertCount( 1, $jobs );
		$jobs[0]->run();
		$this->assertTrue( $this->backlog()->isWaiting() );
		$this->useRelay( 'ok' );
		$this->emptyQueue();
		$this->assertSame( [ $this->kept( '1' ), $this->kept( '2' ) ], $this->arrived() );
	}

	public function testWhatTheRelayRefusesDoesNotKeepOthersWaiting(): void {
		$this->loseRelay();
		$publisher = $this->getServiceContainer()->getService( 'WebSocket.Publisher' );
		$publisher->publish( $this->kept( '1' ), 'bad' );
		DeferredUpdates::doUpdates();
		$this->publish( $this->kept( '2' ), $this->kept( '3' ) );
		$this->useRelay( 'refuse-bad' );
		$this->findRelay();
		$this->emptyQueue();
		$this->assertFalse( $this->backlog()->isWaiting() );
		$taken = array_filter( $this->relay->published(),
			static fn ( $batch ) => !in_array( 'bad', array_column( $batch, 'msg' ), true ) );
		$this->assertSame(
			[ $this->kept( '2' ), $this->kept( '3' ) ],
			array_column( array_merge( ...array_values( $taken ) ), 'type' )
		);
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ) );
	}

	public function testLaterMessageOvertakesWhatWaits(): void {
		$this->loseRelay();
		$this->publish( $this->kept( '1' ) );
		$this->findRelay();
		$this->publish( $this->kept( '2' ), 'Fast' );
		$this->assertSame( [ $this->kept( '1' ), $this->kept( '2' ), 'Fast' ], $this->arrived() );
		$this->assertFalse( $this->backlog()->isWaiting() );
		$this->publish( $this->kept( '3' ) );
		$this->assertSame( [ $this->kept( '3' ) ], $this->arrived() );
		$this->emptyQueue();
		$this->assertSame( [], $this->arrived(), 'the job has nothing left to do' );
	}

	public function testMessageOvertakesWhatAJobTakesToTheRelayJustNow(): void {
		$this->loseRelay();
		$this->publish( $this->kept( '1' ) );
		$this->findRelay();
		$stash = $this->getServiceContainer()->getMainObjectStash();
		$lock = $stash->getScopedLock( $stash->makeKey( 'websocket-backlog', 'lock' ), 0, 60 );
		$this->assertNotNull( $lock );
		$this->publish( $this->kept( '2' ), 'Fast' );
		$this->assertSame( [ 'Fast' ], $this->arrived(), 'what has no history does not wait' );
		$this->assertStringContainsString( 'others wait already', $this->logged( LogLevel::INFO )[1] );
		unset( $lock );
		$this->emptyQueue();
		$this->assertSame( [ $this->kept( '1' ), $this->kept( '2' ) ], $this->arrived() );
	}

	public function testMessageOfOneRequestOvertakesAnother(): void {
		$this->loseRelay();
		$this->publish( $this->kept( '1' ) );
		$this->findRelay();
		DeferredUpdates::addCallableUpdate( function () {
			$publisher = $this->getServiceContainer()->getService( 'WebSocket.Publisher' );
			foreach ( [ 'Fast1', $this->kept( '2' ), 'Fast2', $this->kept( '3' ) ] as $type ) {
				$publisher->publish( $type, 1 );
			}
		} );
		$this->assertSame(
			[ 'Fast1', 'Fast2', $this->kept( '1' ), $this->kept( '2' ), $this->kept( '3' ) ], $this->arrived()
		);
	}

	public function testWhatIsToBeForgottenIsForgottenThoughTheRelayIsAway(): void {
		$this->loseRelay();
		$this->publish( $this->kept( '1' ) );
		$this->getServiceContainer()->getService( 'WebSocket.Publisher' )->forget( \WebSocket::wikiID() . '@page/*' );
		DeferredUpdates::doUpdates();
		$this->findRelay();
		$this->emptyQueue();
		$this->assertSame( [ $this->kept( '1' ) ], $this->arrived() );
		$this->assertSame( [ \WebSocket::wikiID() . '@page/*' ], $this->forgotten );
	}

	public function testMessageThatArrivedUnseenCountsTwice(): void {
		$this->publish( $this->kept( '1' ) );
		$keys = array_column( array_merge( ...$this->relay->publishedWithKeys() ), 'key' );
		$this->assertCount( 1, $keys );
		$this->useRelay( '503' );
		$this->publish( $this->kept( '2' ) );
		$first = array_column( array_merge( ...$this->relay->publishedWithKeys() ), 'key' );
		$this->runOnce();
		$again = array_column( array_merge( ...$this->relay->publishedWithKeys() ), 'key' );
		$this->assertSame( [ $first[0], $first[0] ], $again, 'the relay knows it by its key' );
		$this->assertNotSame( $keys, $first );
	}

	private function runOnce(): void {
		foreach ( $this->jobs() as $job ) {
			$job->run();
		}
	}

	public function testMuchThatWaits(): void {
		$this->loseRelay();
		$types = [];
		for ( $i = 0; $i < 120; $i++ ) {
			$types[] = $this->kept( (string)$i );
		}
		$this->publish( ...$types );
		$this->assertCount( 1, $this->jobs() );
		$this->findRelay();
		( new PublishJob( [] ) )->run();
		$batches = $this->relay->published();
		$this->assertSame( [ 50, 50, 20 ], array_map( 'count', $batches ) );
		$this->assertSame( $types, array_column( array_merge( ...$batches ), 'type' ) );
	}

	public function testJobAfterAPageViewTakesItsTime(): void {
		$got = [];
		$backlog = $this->ownBacklog( new HashBagOStuff(), $got );
		for ( $i = 0; $i < 120; $i++ ) {
			$backlog->add( [ (string)$i ] );
		}
		$this->jobs();
		$backlog->run( 0 );
		$this->assertCount( 50, $got, 'one part' );
		$this->assertCount( 1, $this->jobs(), 'which does the rest' );
	}

	public function testLargeMessagesThatWait(): void {
		$this->loseRelay();
		DeferredUpdates::addCallableUpdate( function () {
			for ( $i = 0; $i < 5; $i++ ) {
				$this->getServiceContainer()->getService( 'WebSocket.Publisher' )
					->publish( $this->kept( (string)$i ), str_repeat( 'x', 300000 ) );
			}
		} );
		DeferredUpdates::doUpdates();
		$this->findRelay();
		$this->emptyQueue();
		$this->assertSame( [ 3, 2 ], array_map( 'count', $this->relay->published() ) );
		$this->assertCount( 5, $this->arrived() );
	}

	public function testRelayThatGoesAwayAgainLosesNothing(): void {
		$delivery = $this->createMock( Delivery::class );
		$got = [];
		$delivery->method( 'deliver' )->willReturnCallback( static function ( $envelopes, $insists ) use ( &$got ) {
			self::assertTrue( $insists );
			// It takes 70, goes away in the middle of a request, and then takes the rest.
			$room = max( 0, 70 - count( $got ) );
			$isBack = $room === 0 && count( $got ) >= 70;
			$taken = $isBack ? count( $envelopes ) : min( $room, count( $envelopes ) );
			array_push( $got, ...array_slice( $envelopes, 0, $taken ) );
			return array_slice( $envelopes, $taken );
		} );
		$backlog = $this->backlogOf( new HashBagOStuff(), $delivery );
		$all = array_map( static fn ( $i ) => "{\"n\":$i}", range( 1, 120 ) );
		foreach ( $all as $json ) {
			$this->assertTrue( $backlog->add( [ $json ] ) );
		}
		$backlog->run();
		$this->assertSame( array_slice( $all, 0, 70 ), $got );
		$this->assertCount( 1, $this->jobs() );
		$backlog->run();
		$this->assertSame( $all, $got );
		$this->assertFalse( $backlog->isWaiting() );
	}
}

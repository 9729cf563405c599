<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\Polling\ClientIds;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Tests\LaggingStash;
use MediaWiki\Extension\WebSocket\Tests\OutboxTestCase;
use Wikimedia\Rdbms\DBQueryError;
use Wikimedia\Rdbms\IDatabase;
use Wikimedia\Rdbms\ILoadBalancer;

/**
 * Visitors who want more than is theirs, databases that are behind, back from before, or do not take everything.
 *
 * @covers \MediaWiki\Extension\WebSocket\Polling\ClientIds
 * @covers \MediaWiki\Extension\WebSocket\Polling\Outbox
 * @covers \MediaWiki\Extension\WebSocket\Publisher
 * @group Database
 */
class OutboxTroubleTest extends OutboxTestCase {
	public function testListenersIDIsTakenBeforeItHasSentAnything(): void {
		$ids = $this->getServiceContainer()->getService( 'WebSocket.ClientIds' );
		$ids->keep( 'WS1', 'Ann', 0 );
		$this->assertFalse( $ids->claim( 'WS1', 'Mallory' ) );
		$since = $this->add( 'A' ) . ':' . self::NOW;
		$this->add( 'A', 'secret', 'WS2', 'WS1', 'Bob' );
		$this->assertCount( 1, $this->read( 'A', $since, 'WS1', 'Ann' )->messages );
		$this->assertSame( [], $this->read( 'A', $since, 'WS1', 'Mallory' )->messages );
	}

	public function testPageThatIsOpenForDaysLosesItsID(): void {
		$stash = $this->getServiceContainer()->getMainObjectStash();
		$ids = new ClientIds( $stash );
		for ( $hour = 0; $hour < 72; $hour++ ) {
			$this->setTime( 3600 * $hour );
			$now = self::NOW + 3600 * $hour;
			$stash->setMockTime( $now );
			$ids->keep( 'WS1', 'Ann', $hour ? $now - 3600 : 0 );
			$this->assertFalse( $ids->claim( 'WS1', 'Mallory' ), "$hour hours" );
		}
		// It need not be noted each time.
		$stash->clear();
		$ids->keep( 'WS1', 'Ann', $now );
		$this->assertTrue( $ids->claim( 'WS1', 'Mallory' ) );
	}

	public function testReplicaOfTheStashDoesNotKnowYetWhoseIDItIs(): void {
		$ids = new ClientIds( new LaggingStash() );
		$this->assertTrue( $ids->claim( 'WS1', 'Ann' ) );
		$this->assertFalse( $ids->isFor( 'WS1', 'Mallory' ) );
		$this->assertFalse( $ids->claim( 'WS1', 'Mallory' ) );
		$this->assertTrue( $ids->isFor( 'WS1', 'Ann' ) );
	}

	public function testWhoseIDItIsIsAskedForEachMessage(): void {
		$since = $this->add( 'A' ) . ':' . self::NOW;
		$ids = $this->createMock( ClientIds::class );
		$ids->method( 'claim' )->willReturn( true );
		$ids->expects( $this->once() )->method( 'isFor' )->willReturn( true );
		$this->setService( 'WebSocket.ClientIds', $ids );
		$this->getServiceContainer()->resetServiceForTesting( 'WebSocket.Outbox' );
		foreach ( [ 1, 2, 3 ] as $msg ) {
			$this->add( 'A', $msg, 'WS2', 'WS1', 'Bob' );
		}
		$this->assertCount( 3, $this->read( 'A', $since, 'WS1', 'Ann' )->messages );
	}

	public function testPageLiesAboutTheTimeToReadWhatShouldBeGone(): void {
		$before = $this->add( 'A', 'first' ) - 1;
		$this->setTime( Outbox::KEPT_SECONDS + 1 );
		$newest = $this->add( 'A', 'second' );
		foreach ( [ ':' . ( self::NOW + Outbox::KEPT_SECONDS ), ':' ] as $time ) {
			$news = $this->read( 'A', $before . $time );
			$this->assertSame( [ $newest ], array_column( $news->messages, 'offset' ), $time );
			$this->assertSame( [ 'A' ], $news->missed, $time );
		}
	}

	public function testTableOfBeforeIsBack(): void {
		$newest = $this->add( 'A' );
		$this->assertSame( [], $this->read( 'A', "$newest:" . self::NOW )->missed );
		$this->assertSame( [ 'A' ], $this->read( 'A', ( $newest + 1 ) . ':' . self::NOW )->missed );
		$this->useReplica( 0, [ 'selectField' => $newest - 1 ] );
		$this->assertSame( [], $this->read( 'A', "$newest:" . self::NOW )->missed, 'the primary knows it' );
	}

	public function testReplicaThatIsBehindShowsLateWhatIsLate(): void {
		$first = $this->add( 'A', 1 );
		$this->add( 'A', 2 );
		$this->setTime( 10 );
		$this->assertSame( $first + 1, $this->read( 'A' )->offset );
		$this->useReplica( 5.5, [] );
		$news = $this->read( 'A', ( $first - 1 ) . ':' . self::NOW );
		$this->assertLessThan( $first, $news->offset, 'it may have the second already, and not the first' );
		$this->assertSame( self::NOW + 10 - Outbox::SETTLED_SECONDS - 6, $news->time );
	}

	public function testWhatOthersHaveBegunIsCommitted(): void {
		foreach ( [ false, true ] as $isBusy ) {
			$lb = $this->createMock( ILoadBalancer::class );
			$lb->method( 'getConnection' )->willReturn( $this->db );
			$factory = $this->useDatabases( $lb, $isBusy );
			$factory->expects( $isBusy ? $this->never() : $this->once() )->method( 'commitPrimaryChanges' );
			$before = $this->newest();
			$this->assertSame( $before + 1, $this->add( 'A' ) );
		}
	}

	public function testMessageThatTheDatabaseDoesNotTakeCostsTheOthers(): void {
		$db = $this->createMock( IDatabase::class );
		$db->method( 'timestamp' )->willReturnCallback( fn ( $time ) => $this->db->timestamp( $time ) );
		$db->method( 'insert' )->willReturnCallback( function ( $table, $row, $fname ) {
			if ( str_contains( $row['wo_frame'], 'large' ) ) {
				throw new DBQueryError( $this->db, 'too large', 1, 'INSERT', __METHOD__ );
			}
			return $this->db->insert( $table, $row, $fname );
		} );
		$lb = $this->createMock( ILoadBalancer::class );
		$lb->method( 'getConnection' )->willReturn( $db );
		$factory = $this->useDatabases( $lb );
		$factory->expects( $this->once() )->method( 'rollbackPrimaryChanges' );
		$before = $this->newest();
		$envelopes = [];
		foreach ( [ 'small', 'large', 'small too' ] as $msg ) {
			array_push( $envelopes, ...( new EnvelopeEncoder() )->encode( 'A', $msg, null, false ) );
		}
		try {
			$this->outbox()->add( $envelopes );
			$this->fail( 'nobody hears of it' );
		} catch ( DBQueryError $e ) {
			$this->assertStringContainsString( 'too large', $e->getMessage() );
		}
		$this->assertSame( $before + 2, $this->newest() );
	}

	public function testManyTypesAskTheDatabaseOften(): void {
		$this->add( 'A0', 'early' );
		$this->setTime( 100 );
		$this->add( 'A1', 'too early' );
		$this->setTime( 200 );
		$this->add( 'A1', 'late' );
		$wanted = [];
		for ( $i = 0; $i < 50; $i++ ) {
			$wanted["A$i"] = ':' . ( self::NOW + $i * 150 );
		}
		$queries = 0;
		$replica = $this->createMock( IDatabase::class );
		foreach ( [ 'selectField', 'selectRow', 'addQuotes', 'timestamp', 'newSelectQueryBuilder' ] as $method ) {
			$replica->method( $method )->willReturnCallback( function ( ...$args ) use ( &$queries, $method ) {
				$queries += str_contains( $method, 'select' ) || str_contains( $method, 'Select' ) ? 1 : 0;
				return $this->db->$method( ...$args );
			} );
		}
		$replica->method( 'getSessionLagStatus' )->willReturn( [ 'lag' => 0, 'since' => 0 ] );
		$lb = $this->createMock( ILoadBalancer::class );
		$lb->method( 'getConnection' )->willReturn( $replica );
		$this->useDatabases( $lb );
		$news = $this->read( $wanted );
		$this->assertSame( [ 'early', 'late' ], array_column( $this->frames( $news ), 'msg' ) );
		$this->assertLessThanOrEqual( 6, $queries );
	}

	public function testLargeMessagesComeInParts(): void {
		$first = $this->add( 'A', 0 );
		$large = str_repeat( 'x', 900000 );
		for ( $i = 0; $i < 7; $i++ ) {
			$this->add( 'A', $large );
		}
		$this->setTime( Outbox::SETTLED_SECONDS + 1 );
		$since = "$first:" . self::NOW;
		$parts = [];
		do {
			$news = $this->read( 'A', $since );
			$parts[] = count( $news->messages );
			$since = $this->since( $news );
		} while ( $news->hasMore );
		$this->assertSame( [ 5, 2 ], $parts );
	}
}

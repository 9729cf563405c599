<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use EmptyBagOStuff;
use HashBagOStuff;
use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Relay\Delivery;
use MediaWiki\Extension\WebSocket\Tests\BacklogTestCase;
use MediaWiki\Extension\WebSocket\Tests\LaggingStash;
use Psr\Log\LogLevel;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * What waits in the stash outlives processes that end and jobs that meet, and what goes wrong with it is said.
 *
 * @covers \MediaWiki\Extension\WebSocket\Backlog\Backlog
 * @covers \MediaWiki\Extension\WebSocket\Backlog\PublishJob
 * @covers \MediaWiki\Extension\WebSocket\Relay\Delivery
 * @covers \MediaWiki\Extension\WebSocket\Publisher
 * @group Database
 */
class BacklogStashTest extends BacklogTestCase {

	public function testProcessThatEndsWhileItWritesBlocksTheOthers(): void {
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$stash = new class() extends HashBagOStuff {
			public bool $dies = false;

			public function set( $key, $value, $exptime = 0, $flags = 0 ) {
				return str_contains( $key, ':index' ) || !$this->dies
					? parent::set( $key, $value, $exptime, $flags )
					: false;
			}
		};
		$got = [];
		$backlog = $this->ownBacklog( $stash, $got );
		$backlog->add( [ 'a' ] );
		$stash->dies = true;
		$this->assertFalse( $backlog->add( [ 'b' ] ) );
		$stash->dies = false;
		$backlog->add( [ 'c' ] );
		$backlog->run();
		$backlog->run();
		$this->assertSame( [ 'a' ], $got, 'it may just be being written' );
		ConvertibleTimestamp::setFakeTime( self::NOW + 5 );
		$backlog->run();
		$this->assertSame( [ 'a', 'c' ], $got );
		$this->assertCount( 1, $this->logged( LogLevel::WARNING ) );
		$this->assertFalse( $backlog->isWaiting() );
	}

	public function testStashThatForgetsEverythingStopsWhatComesLater(): void {
		$stash = new HashBagOStuff();
		$got = [];
		$backlog = $this->ownBacklog( $stash, $got );
		$backlog->add( [ 'lost' ] );
		$stash->clear();
		$this->assertFalse( $backlog->isWaiting() );
		$backlog->add( [ 'a' ] );
		$backlog->add( [ 'b' ] );
		$backlog->run();
		$this->assertSame( [ 'a', 'b' ], $got );
	}

	public function testTwoJobsAtOnceMixUpTheOrder(): void {
		$got = [];
		$calls = 0;
		$delivery = $this->createMock( Delivery::class );
		$delivery->method( 'deliver' )->willReturnCallback(
			function ( array $envelopes ) use ( &$got, &$calls, &$backlog ) {
				if ( $calls++ === 0 ) {
					// Another one comes while this one is on its way.
					$backlog->add( [ 'later' ] );
					$backlog->run();
				}
				array_push( $got, ...$envelopes );
				return [];
			}
		);
		$backlog = $this->backlogOf( new HashBagOStuff(), $delivery );
		$backlog->add( [ 'first' ] );
		$this->jobs();
		$backlog->run();
		$this->assertSame( [ 'first', 'later' ], $got );
		$this->assertCount( 1, $this->jobs(), 'the one that had to wait comes again' );
	}

	public function testRelayThatNeverComesFillsTheStash(): void {
		$stash = new class() extends HashBagOStuff {
			/** @var array<string,bool> */
			public array $there = [];

			public function set( $key, $value, $exptime = 0, $flags = 0 ) {
				$this->there[$key] = true;
				return parent::set( $key, $value, $exptime, $flags );
			}

			public function delete( $key, $flags = 0 ) {
				unset( $this->there[$key] );
				return parent::delete( $key, $flags );
			}
		};
		$got = [];
		$backlog = $this->ownBacklog( $stash, $got );
		for ( $i = 0; $i <= Backlog::MAX_CHUNKS + 2; $i++ ) {
			$backlog->add( [ (string)$i ] );
		}
		$this->assertCount( Backlog::MAX_CHUNKS, $stash->there );
		$this->assertCount( 1, $this->logged( LogLevel::ERROR ), 'not one for each message' );
		while ( $backlog->isWaiting() ) {
			$backlog->run();
		}
		$this->assertCount( Backlog::MAX_CHUNKS, $got );
		$this->assertSame( '3', $got[0], 'the oldest have given way' );
	}

	/** @return HashBagOStuff One that takes no more than a megabyte at once, as memcached does */
	private function smallStash(): HashBagOStuff {
		return new class() extends HashBagOStuff {
			public function set( $key, $value, $exptime = 0, $flags = 0 ) {
				return strlen( serialize( $value ) ) < 1000000 && parent::set( $key, $value, $exptime, $flags );
			}
		};
	}

	public function testMuchThatWaitsNeverGetsLess(): void {
		$got = [];
		$delivery = $this->createMock( Delivery::class );
		$delivery->method( 'deliver' )->willReturnCallback( static function ( array $envelopes ) use ( &$got ) {
			foreach ( array_slice( $envelopes, 0, 3 ) as $json ) {
				$got[] = substr( $json, 0, 2 );
			}
			return array_slice( $envelopes, 3 );
		} );
		$backlog = $this->backlogOf( $this->smallStash(), $delivery );
		$all = range( 10, 29 );
		foreach ( array_chunk( $all, 2 ) as $some ) {
			$large = array_map( static fn ( $n ) => $n . str_repeat( 'x', 100000 ), $some );
			$this->assertTrue( $backlog->add( $large ) );
		}
		for ( $i = 0; $i < 7; $i++ ) {
			$backlog->run();
		}
		$this->assertSame( array_map( 'strval', $all ), $got, 'each once, in order' );
		$this->assertFalse( $backlog->isWaiting() );
	}

	public function testMessageThatTheStashDoesNotTakeCostsTheOthers(): void {
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$got = [];
		$backlog = $this->ownBacklog( $this->smallStash(), $got );
		$this->assertFalse( $backlog->add( [ 'first', str_repeat( 'x', 1040000 ), 'small' ] ) );
		$this->assertCount( 1, $this->jobs() );
		$backlog->run();
		ConvertibleTimestamp::setFakeTime( self::NOW + 6 );
		$backlog->run();
		$this->assertSame( [ 'first', 'small' ], $got );
	}

	public function testReplicaOfTheStashDoesNotKnowYetWhatWaits(): void {
		ConvertibleTimestamp::setFakeTime( self::NOW );
		$got = [];
		$backlog = $this->ownBacklog( new LaggingStash(), $got );
		$backlog->add( [ 'a' ] );
		$this->assertTrue( $backlog->isWaiting() );
		$backlog->run();
		$this->assertSame( [ 'a' ], $got );
	}

	public function testStashThatFailsCostsWhatTheRelayWouldTake(): void {
		$stash = $this->createMock( HashBagOStuff::class );
		$stash->method( 'makeKey' )->willReturn( 'key' );
		$stash->method( 'get' )->willThrowException( new \RuntimeException( 'no stash' ) );
		$this->setMainStash( $stash );
		$this->publish( $this->kept( '1' ) );
		$this->assertSame( [ $this->kept( '1' ) ], $this->arrived() );
		$this->assertStringContainsString( 'cannot be read', $this->logged( LogLevel::ERROR )[0] );
	}

	public function testStashThatKeepsNothingIsAnErrorInTheLog(): void {
		$this->setMainStash( new EmptyBagOStuff() );
		$this->loseRelay();
		$this->publish( $this->kept( '1' ) );
		$this->assertStringContainsString( '$wgMainStash', $this->logged( LogLevel::ERROR )[0] );
		$this->assertStringContainsString( '0 of them wait for it, 1 are lost', $this->logged( LogLevel::INFO )[0] );
	}

	public function testJobQueueThatFailsIsAnErrorInTheLog(): void {
		$jobs = $this->createMock( \JobQueueGroup::class );
		$jobs->method( 'get' )->willThrowException( new \RuntimeException( 'no queue' ) );
		$this->setService( 'JobQueueGroup', $jobs );
		$this->overrideSettings( [] );
		$this->loseRelay();
		$this->publish( $this->kept( '1' ) );
		$this->assertStringContainsString( 'got lost', $this->logged( LogLevel::ERROR )[0] );
	}

	public function testJobRunnerDoesNotTurnRoundAndRound(): void {
		$this->assertGreaterThan( 0, $GLOBALS['wgJobBackoffThrottling'][Backlog::JOB] );
		$this->assertLessThanOrEqual( 1, $GLOBALS['wgJobBackoffThrottling'][Backlog::JOB] );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use EmptyBagOStuff;
use HashBagOStuff;
use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Relay\Delivery;
use MediaWiki\Extension\WebSocket\Tests\BacklogTestCase;
use Psr\Log\LogLevel;
use Psr\Log\NullLogger;
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
		$jobs = $this->getServiceContainer()->getJobQueueGroup();
		$backlog = new Backlog( new HashBagOStuff(), $jobs, $delivery, new NullLogger() );
		$backlog->add( [ 'first' ] );
		$this->jobs();
		$backlog->run();
		$this->assertSame( [ 'first', 'later' ], $got );
		$this->assertCount( 1, $this->jobs(), 'the one that had to wait comes again' );
	}

	public function testRelayThatNeverComesFillsTheStash(): void {
		$stash = new HashBagOStuff();
		$got = [];
		$backlog = $this->ownBacklog( $stash, $got );
		for ( $i = 0; $i <= Backlog::MAX_CHUNKS; $i++ ) {
			$backlog->add( [ (string)$i ] );
		}
		$this->assertCount( 1, array_unique( $this->logged( LogLevel::WARNING ) ) );
		while ( $backlog->isWaiting() ) {
			$backlog->run();
		}
		$this->assertCount( Backlog::MAX_CHUNKS, $got );
		$this->assertSame( '1', $got[0], 'the oldest has given way' );
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

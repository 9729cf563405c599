<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests;

use DeferredUpdates;
use HashBagOStuff;
use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Backlog\PublishJob;
use MediaWiki\Extension\WebSocket\Publisher;
use MediaWiki\Extension\WebSocket\Relay\Delivery;
use TestLogger;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * A wiki whose types "Kept…" have history, with an empty backlog and a log.
 */
abstract class BacklogTestCase extends PublishingTestCase {
	protected const NOW = 1750000000;

	protected TestLogger $logger;

	/** @var resource|null */
	protected $deaf = null;

	protected function setUp(): void {
		parent::setUp();
		$this->setMainStash( new HashBagOStuff() );
		$this->logger = new TestLogger( true, null, true );
		$this->setLogger( 'WebSocket', $this->logger );
		$this->overrideSettings( [ 'WebSocketTypes' => [ 'Kept*' => [ 'history' => 10 ] ] ] );
		$this->getServiceContainer()->getJobQueueGroup()->get( Backlog::JOB )->delete();
	}

	protected function tearDown(): void {
		ConvertibleTimestamp::setFakeTime( false );
		if ( $this->deaf ) {
			fclose( $this->deaf );
		}
		parent::tearDown();
	}

	protected function setMainStash( \BagOStuff $stash ): void {
		$this->setService( 'MainObjectStash', $stash );
		$this->overrideSettings( [] );
	}

	protected function kept( string $name ): string {
		return \WebSocket::wikiID() . "Kept$name";
	}

	/** @param string ...$types One request each */
	protected function publish( string ...$types ): void {
		foreach ( $types as $type ) {
			/** @var Publisher $publisher */
			$publisher = $this->getServiceContainer()->getService( 'WebSocket.Publisher' );
			$this->assertTrue( $publisher->publish( $type, 1 ) );
			DeferredUpdates::doUpdates();
		}
	}

	protected function backlog(): Backlog {
		return $this->getServiceContainer()->getService( 'WebSocket.Backlog' );
	}

	/** @return PublishJob[] Those that wait, which then do not wait any more */
	protected function jobs(): array {
		$queue = $this->getServiceContainer()->getJobQueueGroup()->get( Backlog::JOB );
		$queue->flushCaches();
		$jobs = [];
		while ( $job = $queue->pop() ) {
			$queue->ack( $job );
			$jobs[] = $job;
		}
		return $jobs;
	}

	/** Run what a job queue would run until it is empty. */
	protected function emptyQueue(): void {
		for ( $i = 0; $i < 20; $i++ ) {
			$jobs = $this->jobs();
			if ( !$jobs ) {
				return;
			}
			foreach ( $jobs as $job ) {
				$this->assertTrue( $job->run(), 'the queue does not repeat it as well' );
			}
		}
		$this->fail( 'there is always one more job' );
	}

	protected function loseRelay(): void {
		$this->overrideSettings( [ 'WebSocketRelay' => "unix:{$this->relay->directory}/missing.sock" ] );
	}

	protected function findRelay(): void {
		$this->overrideSettings( [ 'WebSocketRelay' => null ] );
	}

	/** @return string[] The types that have arrived since the last call */
	protected function arrived(): array {
		return array_column( $this->published(), 'type' );
	}

	/** @return string[] */
	protected function logged( string $level ): array {
		$entries = array_filter( $this->logger->getBuffer(), static fn ( $entry ) => $entry[0] === $level );
		return array_values( array_map( static function ( $entry ) {
			$names = array_map( static fn ( $name ) => '{' . $name . '}', array_keys( $entry[2] ) );
			return strtr( $entry[1], array_combine( $names, array_map(
				static fn ( $value ) => is_scalar( $value ) ? (string)$value : '', $entry[2]
			) ) );
		}, $entries ) );
	}

	protected function ownBacklog( \BagOStuff $stash, array &$got ): Backlog {
		$delivery = $this->createMock( Delivery::class );
		$delivery->method( 'deliver' )->willReturnCallback( static function ( array $envelopes ) use ( &$got ) {
			array_push( $got, ...$envelopes );
			return [];
		} );
		return $this->backlogOf( $stash, $delivery );
	}

	protected function backlogOf( \BagOStuff $stash, Delivery $delivery ): Backlog {
		$services = $this->getServiceContainer();
		return new Backlog(
			$stash,
			$services->getJobQueueGroup(),
			$delivery,
			$this->logger,
			$services->getService( 'WebSocket.TroubleLog' )
		);
	}
}

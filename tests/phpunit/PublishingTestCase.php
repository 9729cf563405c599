<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests;

use DeferredUpdates;
use MediaWikiIntegrationTestCase;

/**
 * A wiki that publishes to a stand-in relay.
 */
abstract class PublishingTestCase extends MediaWikiIntegrationTestCase {
	protected FakeRelay $relay;

	protected function setUp(): void {
		parent::setUp();
		$this->useRelay( 'ok' );
	}

	/** @var string[] Types of which published() has found that they are to be forgotten, and whether before any message */
	protected array $forgotten = [];
	protected bool $forgottenFirst = true;

	protected function tearDown(): void {
		$this->relay->stop();
		parent::tearDown();
	}

	protected function useRelay( string $mode ): void {
		if ( isset( $this->relay ) ) {
			$this->relay->stop();
		}
		$this->relay = new FakeRelay( $mode );
		$this->overrideSettings( [
			'WebSocketDirectory' => $this->relay->directory,
			'WebSocketRelay' => null,
			// Loaded machines stall for longer than a wiki should wait.
			'WebSocketPublishTimeout' => 10,
		] );
	}

	/**
	 * @param array<string,mixed> $settings By name without $wg; services made before do not know them
	 */
	protected function overrideSettings( array $settings ): void {
		foreach ( $settings as $name => $value ) {
			$this->setMwGlobals( "wg$name", $value );
		}
		$services = $this->getServiceContainer();
		foreach ( $services->getServiceNames() as $name ) {
			if ( str_starts_with( $name, 'WebSocket.' ) ) {
				$services->resetServiceForTesting( $name );
			}
		}
	}

	/** @return array[] What has been revoked since the last call, in order, as [ kind, name ] */
	protected function revoked(): array {
		DeferredUpdates::doUpdates();
		$revoked = [];
		foreach ( $this->relay->revoked() as $body ) {
			$this->assertEqualsWithDelta( time(), $body['before'], 60 );
			unset( $body['before'] );
			$this->assertCount( 1, $body );
			$revoked[] = [ array_key_first( $body ), reset( $body ) ];
		}
		$this->forget();
		return $revoked;
	}

	protected function forget(): void {
		if ( is_file( "{$this->relay->directory}/log" ) ) {
			unlink( "{$this->relay->directory}/log" );
		}
	}

	/** @return array[] What has been published since the last call, in order; what is to be forgotten is in $forgotten */
	protected function published(): array {
		DeferredUpdates::doUpdates();
		$messages = array_merge( [], ...$this->relay->published() );
		$this->forget();
		$forgets = array_filter( $messages, static fn ( $message ) => $message['forget'] ?? false );
		$this->forgotten = array_column( $forgets, 'type' );
		$this->forgottenFirst = array_keys( $forgets ) === array_keys( $this->forgotten );
		return array_values( array_diff_key( $messages, $forgets ) );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests;

use HashBagOStuff;
use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\Polling\News;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Polling\Since;
use Wikimedia\Rdbms\IDatabase;
use Wikimedia\Rdbms\ILBFactory;
use Wikimedia\Rdbms\ILoadBalancer;
use Wikimedia\Rdbms\IMaintainableDatabase;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * A wiki whose pages poll, with an empty outbox. Its own type "Kept" has history.
 */
abstract class OutboxTestCase extends PublishingTestCase {
	protected const NOW = 1750000000;

	/** The wiki of the tests has not run update.php. */
	protected function getSchemaOverrides( IMaintainableDatabase $db ) {
		return [
			'scripts' => [ dirname( __DIR__, 2 ) . "/sql/{$db->getType()}/tables-generated.sql" ],
			'create' => [ Outbox::TABLE ],
		];
	}

	protected function setUp(): void {
		parent::setUp();
		$this->tablesUsed[] = Outbox::TABLE;
		$this->setService( 'MainObjectStash', new HashBagOStuff() );
		$this->overrideSettings( [
			'WebSocketPolling' => 5,
			'WebSocketTypes' => [ 'Kept' => [ 'history' => [ 'count' => 5, 'seconds' => 7200 ] ] ],
		] );
		$this->db->delete( Outbox::TABLE, '*', __METHOD__ );
		$this->setTime( 0 );
	}

	protected function tearDown(): void {
		ConvertibleTimestamp::setFakeTime( false );
		parent::tearDown();
	}

	protected function setTime( int $seconds ): void {
		ConvertibleTimestamp::setFakeTime( self::NOW + $seconds );
	}

	protected function outbox(): Outbox {
		return $this->getServiceContainer()->getService( 'WebSocket.Outbox' );
	}

	protected function add( string $type, $msg = 1, ?string $from = null, $to = false, ?string $actor = null ): int {
		$this->outbox()->add( ( new EnvelopeEncoder() )->encode( $type, $msg, $from, $to, $actor ) );
		return $this->newest();
	}

	protected function newest(): int {
		return (int)$this->db->selectField( Outbox::TABLE, 'MAX(wo_id)', [], __METHOD__ );
	}

	/** @param string|array<string,string> $wanted */
	protected function read( $wanted, string $since = '-', string $client = '', string $user = '' ): News {
		$wanted = is_array( $wanted ) ? $wanted : [ $wanted => $since ];
		return $this->outbox()->read( array_map( [ Since::class, 'parse' ], $wanted ), $client, $user );
	}

	/** @return array[] */
	protected function frames( News $news ): array {
		return array_map( static fn ( $message ) => json_decode( $message['data'], true ), $news->messages );
	}

	protected function since( News $news ): string {
		return "$news->offset:$news->time";
	}

	/**
	 * @param float $lag Seconds
	 * @param array<string,mixed> $answers Of methods; the others are those of the database
	 */
	protected function useReplica( float $lag, array $answers ): void {
		$replica = $this->createMock( IDatabase::class );
		foreach ( [ 'selectField', 'selectRow', 'addQuotes', 'timestamp', 'newSelectQueryBuilder' ] as $method ) {
			$replica->method( $method )->willReturnCallback(
				fn ( ...$args ) => $answers[$method] ?? $this->db->$method( ...$args )
			);
		}
		$replica->method( 'getSessionLagStatus' )->willReturn( [ 'lag' => $lag, 'since' => 0 ] );
		$lb = $this->createMock( ILoadBalancer::class );
		$lb->method( 'getConnection' )->willReturnCallback(
			fn ( $index ) => $index === DB_REPLICA ? $replica : $this->db
		);
		$this->useDatabases( $lb );
	}

	protected function useDatabases( ILoadBalancer $lb, bool $isBusy = false ): ILBFactory {
		$factory = $this->createMock( ILBFactory::class );
		$factory->method( 'getMainLB' )->willReturn( $lb );
		$factory->method( 'hasPrimaryChanges' )->willReturn( $isBusy );
		$services = $this->getServiceContainer();
		$services->resetServiceForTesting( 'WebSocket.Outbox' );
		$this->setService( 'WebSocket.Outbox', new Outbox(
			$factory,
			$services->getService( 'WebSocket.TypeRegistry' ),
			$services->getService( 'WebSocket.ClientIds' ),
			$services->getService( 'WebSocket.TroubleLog' )
		) );
		return $factory;
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use DeferredUpdates;
use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\Polling\ClientIds;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Polling\Since;
use MediaWiki\Extension\WebSocket\Tests\OutboxTestCase;
use Title;
use WebSocket;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * @covers \MediaWiki\Extension\WebSocket\Polling\ClientIds
 * @covers \MediaWiki\Extension\WebSocket\Polling\News
 * @covers \MediaWiki\Extension\WebSocket\Polling\Outbox
 * @covers \MediaWiki\Extension\WebSocket\Polling\Since
 * @covers \MediaWiki\Extension\WebSocket\Hook\SchemaHandler
 * @covers \MediaWiki\Extension\WebSocket\Publisher
 * @group Database
 */
class OutboxTest extends OutboxTestCase {
	public static function sinces(): array {
		return [
			[ '-', null, null ], [ '12:34', 12, 34 ], [ '12:', 12, null ], [ ':34', null, 34 ], [ '0:0', 0, 0 ],
		];
	}

	/**
	 * @dataProvider sinces
	 */
	public function testSince( string $text, ?int $offset, ?int $time ): void {
		$since = Since::parse( $text );
		$this->assertSame( [ $offset, $time ], [ $since->offset, $since->time ] );
	}

	public function testWhatIsNoSince(): void {
		$this->assertNotNull( Since::parse( ':253402300799' ) );
		foreach ( [
			'', ':', '12', '-1:2', '1:2:3', "1:2\n", '1e3:', '1234567890123456:', ':1 OR 1', '--',
			':253402300800', '1:999999999999'
		] as $text ) {
			$this->assertNull( Since::parse( $text ), $text );
		}
	}

	public function testEventsOfTheWikiComeToPagesThatPoll(): void {
		$this->editPage( 'Polled page', 'text' );
		DeferredUpdates::doUpdates();
		$this->assertSame( [], $this->relay->requests(), 'no relay is asked' );
		$id = Title::newFromText( 'Polled page' )->getArticleID();
		$type = WebSocket::wikiID() . "@page/$id";
		[ $frame ] = $this->frames( $this->read( $type, '0:' . self::NOW ) );
		$this->assertSame( [ $type, 'create', $id, true ], [
			$frame['type'], $frame['msg']['event'], $frame['msg']['page'], $frame['wiki']
		] );
		$this->assertCount( 1, $this->frames( $this->read( WebSocket::wikiID() . '@changes', '0:' . self::NOW ) ) );
	}

	public function testWhoComesGetsOnlyWhatComesLater(): void {
		$old = $this->add( 'A', 'old' );
		$news = $this->read( 'A' );
		$this->assertSame( [ [], [], $old ], [ $news->messages, $news->missed, $news->newest ] );
		$this->add( 'B', 'other' );
		$new = $this->add( 'A', 'new' );
		// The old one comes again, because it is recent; the page knows by "newest" that it is not for it.
		$next = $this->read( 'A', $this->since( $news ) );
		$this->assertSame( [ $old, $new ], array_column( $next->messages, 'offset' ) );
		$this->setTime( Outbox::SETTLED_SECONDS + 1 );
		$settled = $this->read( 'A', $this->since( $next ) );
		$this->assertSame( $new, $settled->offset );
		$this->assertSame( [], $this->read( 'A', $this->since( $settled ) )->messages, 'and never again' );
	}

	public function testMessageThatBecomesVisibleLateIsLost(): void {
		$first = $this->add( 'A', 1 );
		$this->add( 'A', 2 );
		$late = (array)$this->db->selectRow( Outbox::TABLE, '*', [ 'wo_id' => $first ], __METHOD__ );
		$this->db->delete( Outbox::TABLE, [ 'wo_id' => $first ], __METHOD__ );
		$news = $this->read( 'A', ( $first - 1 ) . ':' . self::NOW );
		$this->assertSame( [ $first + 1 ], array_column( $news->messages, 'offset' ) );
		$this->db->insert( Outbox::TABLE, $late, __METHOD__ );
		$next = $this->read( 'A', $this->since( $news ) );
		$this->assertContains( $first, array_column( $next->messages, 'offset' ) );
	}

	public function testSinceATime(): void {
		$this->add( 'A', 'before' );
		$this->setTime( 100 );
		$this->add( 'A', 'after' );
		$this->add( 'B', 'after' );
		$this->setTime( 200 );
		$news = $this->read( [ 'A' => ':' . ( self::NOW + 100 ), 'B' => ':' . ( self::NOW + 150 ) ] );
		$this->assertSame( [ 'after' ], array_column( $this->frames( $news ), 'msg' ) );
		$this->assertSame( [], $news->missed );
		$this->assertSame( [ 'A' ], $this->read( 'A', ':' . ( self::NOW - 1 ) )->missed, 'there may have been others' );
	}

	public function testGaps(): void {
		$this->assertSame( [ 'A' ], $this->read( 'A', ':' . self::NOW )->missed, 'nobody knows' );
		$this->assertSame( [], $this->read( 'A', '0:' )->missed, 'nothing has come since nothing' );
		$first = $this->add( 'A' ) + 100;
		$this->db->update( Outbox::TABLE, [ 'wo_id' => $first ], [ 'wo_id' => $first - 100 ], __METHOD__ );
		$this->assertSame( [], $this->read( 'A', ( $first - 1 ) . ':' )->missed );
		$this->assertSame( [ 'A' ], $this->read( 'A', ( $first - 2 ) . ':' )->missed );
		$this->assertSame( [], $this->read( 'A', ( $first - 2 ) . ':' . self::NOW )->missed, 'it was just now' );
		$this->setTime( Outbox::KEPT_SECONDS );
		$old = ( $first - 2 ) . ':' . self::NOW;
		$this->assertSame( [], $this->read( 'A', $old )->missed );
		$this->setTime( Outbox::KEPT_SECONDS + 1 );
		$this->assertSame( [ 'A' ], $this->read( 'A', $old )->missed );
		$this->assertSame( [], $this->read( WebSocket::wikiID() . 'Kept', $old )->missed, 'which is kept for longer' );
	}

	public function testOldMessagesAreDeleted(): void {
		$kept = WebSocket::wikiID() . 'Kept';
		$this->add( 'A', 1 );
		$second = $this->add( $kept, 2 );
		$this->setTime( Outbox::KEPT_SECONDS + 1 );
		$newest = $this->add( 'A', 3 );
		$this->outbox()->prune();
		$ids = $this->db->selectFieldValues( Outbox::TABLE, 'wo_id', [], __METHOD__, [ 'ORDER BY' => 'wo_id' ] );
		$this->assertSame( [ $second, $newest ], array_map( 'intval', $ids ) );
		$this->setTime( 3 * Outbox::KEPT_SECONDS );
		$this->outbox()->prune();
		$this->assertSame( $newest, $this->newest(), 'the newest stays, so that no offset comes again' );
		$this->assertSame( 1, (int)$this->db->selectField( Outbox::TABLE, 'COUNT(*)', [], __METHOD__ ) );
		$row = (array)$this->db->selectRow( Outbox::TABLE, '*', [ 'wo_id' => $newest ], __METHOD__ );
		$this->db->insert( Outbox::TABLE, [ 'wo_id' => $newest + Outbox::MAX_ROWS ] + $row, __METHOD__ );
		$this->outbox()->prune();
		$this->assertSame( 1, (int)$this->db->selectField( Outbox::TABLE, 'COUNT(*)', [], __METHOD__ ) );
		$since = ( $newest - 1 ) . ':' . ConvertibleTimestamp::time();
		$this->assertSame( [ 'A' ], $this->read( 'A', $since )->missed, 'so many have gone' );
	}

	public function testMuchAtOnceComesInParts(): void {
		$first = $this->add( 'A', 0 );
		for ( $i = 1; $i <= Outbox::MAX_MESSAGES; $i++ ) {
			$this->add( 'A', $i );
		}
		$this->setTime( Outbox::SETTLED_SECONDS + 1 );
		$news = $this->read( 'A', ( $first - 1 ) . ':' . self::NOW );
		$this->assertCount( Outbox::MAX_MESSAGES, $news->messages );
		$this->assertTrue( $news->hasMore );
		$news = $this->read( 'A', $this->since( $news ) );
		$this->assertSame( [ Outbox::MAX_MESSAGES ], array_column( $this->frames( $news ), 'msg' ) );
		$this->assertFalse( $news->hasMore );
	}

	public function testNobodyGetsTheOwnMessageOrThatOfOthers(): void {
		$since = $this->add( 'A' ) . ':' . self::NOW;
		$this->add( 'A', 'own', 'WS1' );
		$this->add( 'A', 'for two', 'WS3', [ 'WS1', 'WS2' ] );
		$got = fn ( string $client, string $user = '' ): array =>
			array_column( $this->frames( $this->read( 'A', $since, $client, $user ) ), 'msg' );
		$this->assertSame( [ 'for two' ], $got( 'WS1' ) );
		$this->assertSame( [ 'own', 'for two' ], $got( 'WS2' ) );
		$this->assertSame( [ 'own' ], $got( 'WS3' ) );
		$this->assertSame( [ 'own' ], $got( 'WS4' ) );
		$this->assertSame( [ 'own' ], $got( '' ) );
		$this->assertSame( [ 'own' ], $got( 'WS1,WS2' ), 'not an id' );
	}

	public function testVisitorTakesAnothersClientID(): void {
		$since = $this->add( 'A' ) . ':' . self::NOW;
		// Others have learnt this id with the first message of Ann's page.
		$this->add( 'A', 'hello', 'WS1', false, 'Ann' );
		$this->add( 'A', 'secret', 'WS2', 'WS1', 'Bob' );
		$got = fn ( string $user ): array =>
			array_column( $this->frames( $this->read( 'A', $since, 'WS1', $user ) ), 'msg' );
		$this->assertSame( [ 'secret' ], $got( 'Ann' ) );
		$this->assertSame( [], $got( 'Mallory' ) );
		$this->assertSame( [], $got( '' ) );
		// A request that names another's page does not silence that page.
		$this->add( 'A', 'forged', 'WS1', false, 'Mallory' );
		$this->assertSame( [ 'secret', 'forged' ], $got( 'Ann' ) );
		$ids = new ClientIds( $this->getServiceContainer()->getMainObjectStash() );
		$this->assertTrue( $ids->claim( 'WS1', 'Ann' ) );
		$this->assertFalse( $ids->claim( 'WS1', '' ) );
		$this->assertTrue( $ids->claim( 'WS9', '' ) );
	}

	public function testFrames(): void {
		$since = $this->add( 'A' ) . ':' . self::NOW;
		$this->add( 'Größe', [ 'x' => 'ä/"' ], 'WS1', 'WS2,WS3', 'Ann' );
		[ $envelope ] = ( new EnvelopeEncoder() )->wrap( 'Größe', '{"a": 1.0}', 'WS4', '' );
		$this->outbox()->addOf( $envelope, 'Zoë' );
		$this->outbox()->addOf( $envelope, '' );
		$data = array_column( $this->read( 'Größe', $since, 'WS2' )->messages, 'data' );
		$this->assertSame( [
			'{"type":"Größe","msg":{"x":"ä/\""},"from":"WS1","to":["WS2","WS3"],"wiki":true}',
			'{"type":"Größe","msg":{"a": 1.0},"from":"WS4","user":"Zoë"}',
			'{"type":"Größe","msg":{"a": 1.0},"from":"WS4"}',
		], $data );
	}

	public function testTableThatIsNotThereIsAnErrorInTheLog(): void {
		$logger = new \TestLogger( true, null, true );
		$this->setLogger( 'WebSocket', $logger );
		$factory = $this->createMock( \Wikimedia\Rdbms\ILBFactory::class );
		$lb = $this->createMock( \Wikimedia\Rdbms\ILoadBalancer::class );
		$db = $this->createMock( \Wikimedia\Rdbms\IDatabase::class );
		$factory->method( 'getMainLB' )->willReturn( $lb );
		$lb->method( 'getConnection' )->willReturn( $db );
		$db->method( 'insert' )->willThrowException(
			new \Wikimedia\Rdbms\DBQueryError( $this->db, 'no such table', 1, 'INSERT', __METHOD__ ) );
		$this->overrideSettings( [] );
		$services = $this->getServiceContainer();
		$this->setService( 'WebSocket.Outbox', new Outbox(
			$factory,
			$services->getService( 'WebSocket.TypeRegistry' ),
			$services->getService( 'WebSocket.ClientIds' ),
			$services->getService( 'WebSocket.TroubleLog' )
		) );
		$this->assertTrue( WebSocket::send( 'A', 1 ) );
		DeferredUpdates::doUpdates();
		$problems = array_map( static fn ( $entry ) => $entry[2]['problem'] ?? '', $logger->getBuffer() );
		$this->assertStringContainsString( 'maintenance/update.php', implode( $problems ) );
	}

	public function testForgottenMessageIsRead(): void {
		$start = $this->since( $this->read( 'Kept' ) );
		foreach ( [ 'Kept', 'Kept', 'wiki:@page/1', 'wiki:@page/2', 'wiki:@page/*' ] as $type ) {
			$this->add( $type, 'secret' );
		}
		$this->outbox()->add( [ ( new EnvelopeEncoder() )->forgetting( 'Kept' ) ] );
		$this->outbox()->add( [ ( new EnvelopeEncoder() )->forgetting( 'wiki:@page/*' ) ] );
		$this->add( 'Kept', 'later' );
		$wanted = [ 'Kept' => $start, 'wiki:@page/1' => $start, 'wiki:@page/2' => $start, 'wiki:@changes' => $start ];
		$news = $this->read( $wanted );
		$this->assertSame( [ 'later' ], array_column( $this->frames( $news ), 'msg' ) );
		$this->assertSame( [ 'Kept', 'wiki:@page/1', 'wiki:@page/2' ], $news->missed );
		$this->assertSame( [], $this->read( [ 'Kept' => "$news->newest:" ] )->missed, 'told once' );
		$this->assertSame(
			0,
			(int)$this->db->selectField( Outbox::TABLE, 'COUNT(*)', [ "wo_frame LIKE '%secret%'" ], __METHOD__ )
		);
	}
}

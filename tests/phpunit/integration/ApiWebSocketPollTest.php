<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use ApiTestCase;
use ApiUsageException;
use HashBagOStuff;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use User;
use WebSocket;
use Wikimedia\Rdbms\IMaintainableDatabase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketPoll
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketSend
 * @covers \MediaWiki\Extension\WebSocket\Polling\TypeAccess
 * @covers \MediaWiki\Extension\WebSocket\SubscriptionTokens
 * @group API
 * @group Database
 */
class ApiWebSocketPollTest extends ApiTestCase {
	/** The wiki of the tests has not run update.php. */
	protected function getSchemaOverrides( IMaintainableDatabase $db ) {
		return [
			'scripts' => [ dirname( __DIR__, 3 ) . "/sql/{$db->getType()}/tables-generated.sql" ],
			'create' => [ Outbox::TABLE ],
		];
	}

	protected function setUp(): void {
		parent::setUp();
		$this->tablesUsed[] = Outbox::TABLE;
		$this->setGroupPermissions( '*', 'read', true );
		$this->setService( 'MainObjectStash', new HashBagOStuff() );
		$this->overrideSettings( [ 'WebSocketPolling' => 7, 'WebSocketTypes' => [
			'Inbox/{user}' => [],
			'Users' => [ 'read' => 'user', 'send' => 'user' ],
			'Patrol' => [ 'read' => 'patrol', 'send' => 'patrol' ],
			'Wiki' => [],
			'All' => [ 'send' => 'anyone' ],
		] ] );
	}

	private function overrideSettings( array $settings ): void {
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

	private function anonymous(): User {
		return $this->getServiceContainer()->getUserFactory()->newAnonymous();
	}

	private function poll( array $types, $user, string $since = '-', string $client = 'WS9' ): array {
		[ $result ] = $this->doApiRequest( [
			'action' => 'websocketpoll',
			'types' => "\x1f" . implode( "\x1f", $types ),
			'since' => implode( '|', array_fill( 0, count( $types ), $since ) ),
			'client' => $client,
		], null, false, $user );
		return $result['websocketpoll'];
	}

	private function send( string $type, $user, array $params = [] ): void {
		$this->doApiRequestWithToken( $params + [
			'action' => 'websocketsend', 'type' => $type, 'msg' => '{"x":1}', 'client' => 'WS1',
		], null, $user );
	}

	private function code( callable $request ): string {
		try {
			$request();
		} catch ( ApiUsageException $e ) {
			return (string)$e->getStatusValue()->getErrors()[0]['message']->getApiCode();
		}
		return 'none';
	}

	/** @return string[] Type => code */
	private function refused( array $types, $user ): array {
		$refused = array_filter( $this->poll( $types, $user )['refused'], 'is_array' );
		return array_column( $refused, 'code', 'type' );
	}

	public function testWhatIsSentComes(): void {
		$user = $this->getTestUser()->getUser();
		$type = WebSocket::wikiID() . 'All';
		$before = $this->poll( [ $type, 'Plain' ], $this->anonymous() );
		$this->assertSame( [ 7, '' ], [ $before['next'], $before['user'] ] );
		$this->send( $type, $user, [ 'to' => 'WS9,WS8' ] );
		$this->send( 'Plain', $this->anonymous(), [ 'client' => 'WS2', 'msg' => '{ "a": 1.0 }' ] );
		$after = $this->poll( [ $type, 'Plain' ], $this->anonymous(), "{$before['newest']}:{$before['time']}" );
		$messages = array_filter( $after['messages'], 'is_array' );
		$this->assertSame( [
			'{"type":"' . $type . '","msg":{"x":1},"from":"WS1","to":["WS9","WS8"],"user":"' . $user->getName() . '"}',
			'{"type":"Plain","msg":{ "a": 1.0 },"from":"WS2"}',
		], array_column( $messages, 'data' ) );
		$this->assertSame( $user->getName(), $this->poll( [ $type ], $user )['user'] );
	}

	public function testTypeUsedWithoutTheRight(): void {
		$own = WebSocket::wikiID();
		$user = $this->getTestUser()->getUser();
		$sysop = $this->getTestSysop()->getUser();
		$inbox = "{$own}Inbox/{$user->getName()}";
		$types = [ "{$own}Users", "{$own}Patrol", "{$own}Wiki", "{$own}Other", 'Plain', $inbox ];
		$this->assertSame( [
			"{$own}Users" => 'forbidden', "{$own}Patrol" => 'forbidden', $inbox => 'forbidden'
		], $this->refused( $types, $this->anonymous() ) );
		$this->assertSame( [ "{$own}Patrol" => 'forbidden' ], $this->refused( $types, $user ) );
		$this->assertSame( [ $inbox => 'forbidden' ], $this->refused( $types, $sysop ) );
		$this->assertSame( [ "a\u{0085}" => 'bad-request' ], $this->refused( [ "a\u{0085}" ], $sysop ) );

		$this->overrideSettings( [ 'WebSocketOpenTypes' => false ] );
		$refused = $this->refused( [ "{$own}Wiki", "{$own}Other", 'Plain' ], $sysop );
		$this->assertSame( [ "{$own}Other", 'Plain' ], array_keys( $refused ) );
	}

	public function testReaderOfAClosedPageGoesOn(): void {
		$own = WebSocket::wikiID();
		$id = $this->getExistingTestPage( 'Closed page' )->getId();
		$this->overrideSettings( [ 'WebSocketPerPageRead' => true ] );
		$types = [ "$own@page/$id", "$own@page/999999", "$own@changes" ];
		$user = $this->getTestUser()->getUser();
		$this->assertSame( [ "$own@changes" => 'forbidden', "$own@page/999999" => 'forbidden' ],
			$this->refused( $types, $user ) );
		$this->setTemporaryHook( 'getUserPermissionsErrors', static function ( $title, $user, $action, &$result ) {
			$result = $action === 'read' && $title->getDBkey() === 'Closed_page' ? [ 'badaccess-group0' ] : [];
			return $result === [];
		} );
		$this->assertArrayHasKey( "$own@page/$id", $this->refused( $types, $user ) );
	}

	public function testWhoMaySendWhat(): void {
		$own = WebSocket::wikiID();
		$user = $this->getTestUser()->getUser();
		$code = fn ( $type, $who, $params = [] ) => $this->code( fn () => $this->send( $type, $who, $params ) );
		$this->assertSame( 'forbidden', $code( "{$own}Wiki", $user ) );
		$this->assertSame( 'forbidden', $code( "$own@page/1", $user ) );
		$this->assertSame( 'forbidden', $code( "$own@anything", $user ) );
		$this->assertSame( 'forbidden', $code( 'other:@page/1', $user ) );
		$this->assertSame( 'forbidden', $code( ':@page/1', $user ) );
		$this->assertSame( 'forbidden', $code( "{$own}Users", $this->anonymous() ) );
		$this->assertSame( 'forbidden', $code( "{$own}Patrol", $user ) );
		$this->assertSame( 'none', $code( "{$own}Users", $user ) );
		$this->assertSame( 'none', $code( "{$own}Patrol", $this->getTestSysop()->getUser(), [ 'client' => 'WS5' ] ) );
		$this->assertSame( 'none', $code( "{$own}All", $this->anonymous(), [ 'client' => 'WS6' ] ) );
		$this->assertSame( 'forbidden', $code( "{$own}All", $this->anonymous() ), "another's client id" );
		$this->assertSame( 'bad-request', $code( "{$own}All", $user, [ 'msg' => '1,"wiki":true' ] ) );
		$this->assertSame( 'bad-request', $code( "{$own}All", $user, [ 'client' => 'a b' ] ) );
		$this->assertSame( 'none', $code( "{$own}All", $user, [ 'msg' => '"' . str_repeat( 'x', 65534 ) . '"' ] ) );
		$tooLarge = [ 'msg' => '"' . str_repeat( 'x', 65535 ) . '"' ];
		$this->assertSame( 'too-large', $code( "{$own}All", $user, $tooLarge ) );
		$this->setGroupPermissions( '*', 'websocket-send', false );
		$this->assertSame( 'forbidden', $code( "{$own}All", $this->anonymous(), [ 'client' => 'WS6' ] ) );
	}

	public function testVisitorSendsAsFastAsItLikes(): void {
		$limits = [ 'user' => [ 2, 60 ], 'newbie' => [ 2, 60 ] ];
		$this->mergeMwGlobalArrayValue( 'wgRateLimits', [ 'websocket-send' => $limits ] );
		$this->setService( 'MainObjectStash', new HashBagOStuff() );
		$user = $this->getMutableTestUser()->getUser();
		$codes = [];
		for ( $i = 0; $i < 3; $i++ ) {
			$codes[] = $this->code( fn () => $this->send( 'Plain', $user, [ 'client' => 'WS7' ] ) );
		}
		$this->assertSame( [ 'none', 'none', 'ratelimited' ], $codes );
		$this->send( 'Plain', $this->anonymous(), [ 'client' => 'WS70' ] );
		$this->code( fn () => $this->send( 'Plain', $user, [ 'client' => 'WS71' ] ) );
		$ids = $this->getServiceContainer()->getService( 'WebSocket.ClientIds' );
		$this->assertFalse( $ids->claim( 'WS70', 'Somebody' ) );
		$this->assertTrue( $ids->claim( 'WS71', 'Somebody' ), 'who is refused leaves nothing behind' );
	}

	public function testMessageThatIsSentTwiceCountsTwice(): void {
		$user = $this->getTestUser()->getUser();
		$before = $this->poll( [ 'Plain' ], $user )['newest'];
		foreach ( [ 'k1', 'k1', 'k2' ] as $key ) {
			$this->send( 'Plain', $user, [ 'key' => $key ] );
		}
		$this->assertSame( $before + 2, $this->poll( [ 'Plain' ], $user )['newest'] );
		$this->assertNotSame( 'none', $this->code( fn () => $this->send( 'Plain', $user, [ 'key' => 'a b' ] ) ) );
	}

	public function testMessageThatCouldNotBeSentCountsAsSent(): void {
		$user = $this->getTestUser()->getUser();
		$send = fn () => $this->send( 'Plain', $user, [ 'key' => 'k1' ] );
		$this->poll( [ 'Plain' ], $user );
		$outbox = $this->getServiceContainer()->getService( 'WebSocket.Outbox' );
		$broken = $this->createMock( Outbox::class );
		$broken->method( 'addOf' )->willThrowException( new \RuntimeException( 'no table' ) );
		$this->setService( 'WebSocket.Outbox', $broken );
		for ( $i = 0; $i < 2; $i++ ) {
			try {
				$send();
				$this->fail( 'sent' );
			} catch ( \RuntimeException $e ) {
				$this->assertSame( 'no table', $e->getMessage() );
			}
		}
		$this->setService( 'WebSocket.Outbox', $outbox );
		$before = $this->poll( [ 'Plain' ], $user )['newest'];
		$send();
		$send();
		$this->assertSame( $before + 1, $this->poll( [ 'Plain' ], $user )['newest'] );
	}

	public function testMessageThatAnotherRequestHasDiedOfCountsAsSent(): void {
		$user = $this->getTestUser()->getUser();
		$stash = $this->getServiceContainer()->getMainObjectStash();
		$now = 1750000000;
		$stash->setMockTime( $now );
		$stash->set( $stash->makeKey( 'websocket-key', $user->getName(), 'WS1', 'k1' ), 'begun', 30 );
		$send = fn () => $this->send( 'Plain', $user, [ 'key' => 'k1' ] );
		$before = $this->poll( [ 'Plain' ], $user )['newest'];
		$this->assertSame( 'unavailable', $this->code( $send ) );
		$now += 31;
		$send();
		$send();
		$this->assertSame( $before + 1, $this->poll( [ 'Plain' ], $user )['newest'] );
	}

	public function testManyRecipientsMakeManyMessages(): void {
		$user = $this->getTestUser()->getUser();
		$ids = static fn ( int $count ) => implode( ',', array_map( static fn ( $i ) => "WS$i", range( 1, $count ) ) );
		$this->assertSame( 'none', $this->code( fn () => $this->send( 'Plain', $user, [ 'to' => $ids( 128 ) ] ) ) );
		$this->assertSame( 'limit', $this->code( fn () => $this->send( 'Plain', $user, [ 'to' => $ids( 129 ) ] ) ) );
	}

	public function testListenersIDGoesToWhoSendsWithItFirst(): void {
		$this->poll( [ 'Plain' ], $this->getTestUser()->getUser(), '-', 'WSvictim' );
		$code = $this->code( fn () => $this->send( 'Plain', $this->anonymous(), [ 'client' => 'WSvictim' ] ) );
		$this->assertSame( 'forbidden', $code );
	}

	public function testTextIsChanged(): void {
		// Of the three ways to write it MediaWiki itself would make one.
		$text = "e\u{301}";
		$user = $this->getTestUser()->getUser();
		$before = $this->poll( [ $text ], $user );
		$this->send( $text, $user, [ 'msg' => "\"$text\"" ] );
		WebSocket::send( $text, $text );
		\DeferredUpdates::doUpdates();
		$after = $this->poll( [ $text, 'Plain' ], $user, "{$before['newest']}:{$before['time']}" );
		$messages = array_column( array_filter( $after['messages'], 'is_array' ), 'data' );
		$this->assertSame( [ $text, $text ], array_column( array_map( 'json_decode', $messages ), 'msg' ) );
	}

	public function testForeignPageSendsInAVisitorsName(): void {
		$code = $this->code( fn () => $this->doApiRequest( [
			'action' => 'websocketsend', 'type' => 'Plain', 'msg' => '1', 'client' => 'WS1', 'token' => 'forged'
		], null, false, $this->getTestUser()->getUser() ) );
		$this->assertSame( 'badtoken', $code );
	}

	public function testBadQuestions(): void {
		$user = $this->getTestUser()->getUser();
		$this->assertSame( 'badparameter', $this->code( fn () => $this->poll( [ 'A' ], $user, 'x' ) ) );
		$this->assertSame( 'badparameter', $this->code( fn () => $this->poll( [ 'A' ], $user, '-|-' ) ) );
		$this->assertSame( 'badparameter', $this->code( fn () => $this->poll( [ 'A' ], $user, '-', 'a b' ) ) );
		$many = array_map( 'strval', range( 1, 51 ) );
		$this->assertSame( 'toomanyvalues', $this->code( fn () => $this->poll( $many, $user ) ) );
		$this->setGroupPermissions( '*', 'read', false );
		$this->assertSame( 'readapidenied', $this->code( fn () => $this->poll( [ 'A' ], $this->anonymous() ) ) );
	}

	public function testRelayFromBeforeKeepsItsPages(): void {
		foreach ( [ 'websocket-token' => [], 'websocket-subscribe' => [ 'types' => 'A' ] ] as $action => $params ) {
			$code = $this->code( fn () => $this->doApiRequest( [ 'action' => $action ] + $params ) );
			$this->assertSame( 'polling', $code );
		}
	}

	public function testWikiWithARelay(): void {
		$this->overrideSettings( [ 'WebSocketPolling' => 0 ] );
		$user = $this->getTestUser()->getUser();
		$this->assertSame( 'nopolling', $this->code( fn () => $this->poll( [ 'A' ], $user ) ) );
		$this->assertSame( 'nopolling', $this->code( fn () => $this->send( 'A', $user ) ) );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use ApiTestCase;
use ApiUsageException;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use WebSocket;

/**
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketBase
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketSubscribe
 * @group API
 * @group Database
 */
class ApiWebSocketSubscribeTest extends ApiTestCase {
	protected function setUp(): void {
		parent::setUp();
		$this->setGroupPermissions( '*', 'read', true );
		$this->setMwGlobals( 'wgWebSocketTypes', [ 'Inbox/{user}' => [] ] );
		$services = $this->getServiceContainer();
		foreach ( $services->getServiceNames() as $name ) {
			if ( str_starts_with( $name, 'WebSocket.' ) ) {
				$services->resetServiceForTesting( $name );
			}
		}
	}

	private function ask( string $types, $performer ): array {
		[ $result ] = $this->doApiRequest(
			[ 'action' => 'websocket-subscribe', 'types' => $types ], null, false, $performer
		);
		$answer = $result['websocket-subscribe'];
		// Without what MediaWiki adds for XML.
		return array_map( static fn ( $list ) => array_filter( $list, 'is_array' ), $answer );
	}

	private function refuses( string $code, string $types, $performer ): void {
		try {
			$this->ask( $types, $performer );
			$this->fail( "it does not say $code" );
		} catch ( ApiUsageException $e ) {
			$this->assertTrue( self::apiExceptionHasCode( $e, $code ), $e->getMessage() );
		}
	}

	public function testAnswersEachType(): void {
		$user = $this->getTestUser()->getUser();
		$own = WebSocket::wikiID();
		$answer = $this->ask( "{$own}Inbox/{$user->getName()}|{$own}Inbox/Nobody|other:Foo", $user );
		$this->assertCount( 1, $answer['tokens'] );
		$token = $answer['tokens'][0];
		$claims = Fixtures::claims( $token['token'] );
		$this->assertSame( [ $token['type'], $token['expires'], $user->getName() ], [
			$claims['type'], $claims['exp'], $claims['sub']
		] );
		$this->assertSame(
			[ [ "{$own}Inbox/Nobody", 'forbidden' ], [ 'other:Foo', 'bad-request' ] ],
			array_map( static fn ( $one ) => [ $one['type'], $one['code'] ], $answer['refused'] )
		);
	}

	public function testVerticalBarInAUserName(): void {
		$own = WebSocket::wikiID();
		$answer = $this->ask( "\x1f{$own}Inbox/a|b\x1f{$own}Inbox/c", $this->getTestUser()->getUser() );
		$this->assertSame(
			[ "{$own}Inbox/a|b", "{$own}Inbox/c" ],
			array_column( $answer['refused'], 'type' )
		);
	}

	public function testManyTypes(): void {
		$user = $this->getTestUser()->getUser();
		$this->assertCount( 50, $this->ask( implode( '|', range( 1, 50 ) ), $user )['refused'] );
		$this->refuses( 'toomanyvalues', implode( '|', range( 1, 51 ) ), $user );
		$this->refuses( 'toomanyvalues', implode( '|', range( 1, 501 ) ), $this->getTestSysop()->getUser() );
		$this->assertSame( [ 'tokens' => [], 'refused' => [] ], $this->ask( '', $user ) );
	}

	public function testNeedsTheRightToRead(): void {
		$this->setGroupPermissions( '*', 'read', false );
		$visitor = $this->getServiceContainer()->getUserFactory()->newAnonymous( '127.0.0.1' );
		$this->refuses( 'readapidenied', WebSocket::wikiID() . 'Inbox/127.0.0.1', $visitor );
	}

	public function testWithoutKey(): void {
		$this->setMwGlobals( 'wgWebSocketKey', 'nonsense' );
		foreach ( [ 'WikiSecret', 'WikiIdentity', 'TokenMinter', 'SubscriptionTokens' ] as $name ) {
			$this->getServiceContainer()->resetServiceForTesting( "WebSocket.$name" );
		}
		$this->refuses( 'nokey', 'Foo', $this->getTestUser()->getUser() );
	}
}

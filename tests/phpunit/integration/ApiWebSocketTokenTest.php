<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use ApiMain;
use ApiTestCase;
use ApiUsageException;
use FauxRequest;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use RequestContext;
use WebSocket;

/**
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketBase
 * @covers \MediaWiki\Extension\WebSocket\Api\ApiWebSocketToken
 * @group API
 * @group Database
 */
class ApiWebSocketTokenTest extends ApiTestCase {
	private function ask( $performer ): array {
		[ $result ] = $this->doApiRequest( [ 'action' => 'websocket-token' ], null, false, $performer );
		return $result['websocket-token'];
	}

	public function testUser(): void {
		$user = $this->getTestUser()->getUser();
		$answer = $this->ask( $user );
		$claims = Fixtures::claims( $answer['token'] );
		$this->assertSame( $user->getName(), $claims['sub'] );
		$this->assertSame( $answer['expires'], $claims['exp'] );
		$this->assertSame( 3600, $claims['exp'] - $claims['iat'] );
		$this->assertSame( [ WebSocket::wikiID(), $user->getName() ], [ $answer['wiki'], $answer['user'] ] );
		$this->assertMatchesRegularExpression( '/^[0-9a-f]{32}$/D', $claims['sid'] );
	}

	public function testVisitorWithoutAccount(): void {
		$answer = $this->ask( $this->getServiceContainer()->getUserFactory()->newAnonymous( '127.0.0.1' ) );
		$claims = Fixtures::claims( $answer['token'] );
		$this->assertSame( [ '', '' ], [ $answer['user'], $claims['sub'] ], 'no address in it' );
		$this->assertSame( 86400, $claims['exp'] - $claims['iat'] );
	}

	public function testNeedsTheRightToRead(): void {
		$this->setGroupPermissions( '*', 'read', false );
		$user = $this->getTestUser()->getUser();
		$this->assertSame( $user->getName(), $this->ask( $user )['user'] );
		try {
			$this->ask( $this->getServiceContainer()->getUserFactory()->newAnonymous( '127.0.0.1' ) );
			$this->fail( 'a visitor has got a token' );
		} catch ( ApiUsageException $e ) {
			$this->assertTrue( self::apiExceptionHasCode( $e, 'readapidenied' ), $e->getMessage() );
		}
	}

	public function testSaysWhatTheUserMayDo(): void {
		$this->setGroupPermissions( 'user', 'websocket-presence', true );
		$this->setGroupPermissions( [ '*' => [ 'websocket-send' => false ], 'user' => [ 'websocket-send' => false ] ] );
		$allow = Fixtures::claims( $this->ask( $this->getTestUser()->getUser() )['token'] )['allow'];
		$this->assertSame( [ 'subscribe' => [ '*' ], 'send' => [], 'presence' => [ '*' ] ], $allow );
	}

	public function testIsNotStored(): void {
		$context = new RequestContext();
		$request = new FauxRequest( [ 'action' => 'websocket-token', 'maxage' => '3600', 'smaxage' => '3600' ] );
		$context->setRequest( $request );
		$main = new class( $context ) extends ApiMain {
			public function sendCacheHeaders( $isError ) {
				parent::sendCacheHeaders( $isError );
			}
		};
		$main->execute();
		$main->sendCacheHeaders( false );
		$header = $request->response()->getHeader( 'Cache-Control' );
		$this->assertStringContainsString( 'private', $header );
		$this->assertStringContainsString( 'no-store', $header );
		$this->assertStringNotContainsString( '3600', $header );
	}

	public function testWithoutKey(): void {
		$this->setMwGlobals( 'wgWebSocketKey', 'nonsense' );
		foreach ( [ 'WebSocket.WikiIdentity', 'WebSocket.TokenMinter' ] as $name ) {
			$this->getServiceContainer()->resetServiceForTesting( $name );
		}
		$this->expectException( ApiUsageException::class );
		$this->ask( $this->getTestUser()->getUser() );
	}
}

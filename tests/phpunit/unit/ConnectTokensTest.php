<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use FauxRequest;
use MediaWiki\Block\AbstractBlock;
use MediaWiki\Block\BlockManager;
use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\SendRate;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Permissions\Authority;
use MediaWiki\Session\Session;
use MediaWiki\Session\SessionId;
use MediaWiki\User\UserGroupManager;
use MediaWiki\User\UserIdentityValue;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\ConnectTokens
 */
class ConnectTokensTest extends MediaWikiUnitTestCase {
	private function block( string $kind ): ?AbstractBlock {
		if ( $kind === 'none' ) {
			return null;
		}
		$block = $this->createMock( AbstractBlock::class );
		$block->method( 'isSitewide' )->willReturn( $kind === 'sitewide' );
		return $block;
	}

	private function tokens(
		?AbstractBlock $blockOfAddress = null, array $values = [], array $publicRights = [], array $attribute = []
	): ConnectTokens {
		$blocks = $this->createMock( BlockManager::class );
		foreach ( [ 'getBlock', 'getUserBlock' ] as $method ) {
			if ( method_exists( BlockManager::class, $method ) ) {
				$blocks->method( $method )->willReturn( $blockOfAddress );
			}
		}
		$permissions = Fixtures::groupPermissions( $publicRights );
		return new ConnectTokens(
			new TokenMinter( Fixtures::wiki( $values ), 1800 ),
			Fixtures::types( $values, $attribute ),
			new SendRate(
				Fixtures::options( SendRate::CONSTRUCTOR_OPTIONS, $values + [
					'RateLimits' => [ 'websocket-send' => [ 'ip' => [ 3, 60 ], 'user' => [ 9, 60 ] ] ],
					'RateLimitsExcludedIPs' => [],
				] ),
				$permissions,
				fn () => $this->createMock( UserGroupManager::class )
			),
			static fn () => $blocks,
			$permissions
		);
	}

	private function authority( int $id, array $rights, ?AbstractBlock $block = null ): Authority {
		$authority = $this->createMock( Authority::class );
		$name = $id ? 'Alice' : '192.0.2.1';
		$authority->method( 'getUser' )->willReturn( new UserIdentityValue( $id, $name ) );
		$authority->method( 'isAllowed' )
			->willReturnCallback( static fn ( $right ) => in_array( $right, $rights, true ) );
		$authority->method( 'getBlock' )->willReturn( $block );
		return $authority;
	}

	private function request(): FauxRequest {
		$session = $this->createMock( Session::class );
		$session->method( 'getId' )->willReturn( 'session of whoever it is' );
		$session->method( 'getSessionId' )->willReturn( new SessionId( 'x' ) );
		$request = $this->getMockBuilder( FauxRequest::class )->disableOriginalConstructor()
			->onlyMethods( [ 'getSession', 'getIP' ] )->getMock();
		$request->method( 'getSession' )->willReturn( $session );
		$request->method( 'getIP' )->willReturn( '192.0.2.1' );
		return $request;
	}

	public static function matrix(): iterable {
		foreach ( [ 'user' => 7, 'visitor' => 0 ] as $who => $id ) {
			foreach ( [ 'none', 'partial', 'sitewide' ] as $block ) {
				foreach ( [ true, false ] as $hasSend ) {
					foreach ( [ true, false ] as $hasPresence ) {
						foreach ( [ true, false ] as $isLimited ) {
							yield implode( ' ', [
								$who, 'block:', $block, $hasSend ? 'send' : '', $hasPresence ? 'presence' : '',
								$isLimited ? 'limited' : ''
							] ) => [ $id, $block, $hasSend, $hasPresence, $isLimited ];
						}
					}
				}
			}
		}
	}

	/**
	 * @dataProvider matrix
	 */
	public function testBlockedUserStillSends(
		int $id, string $block, bool $hasSend, bool $hasPresence, bool $isLimited
	): void {
		$rights = [ 'read' ];
		foreach ( [ 'websocket-send' => $hasSend, 'websocket-presence' => $hasPresence ] as $right => $has ) {
			if ( $has ) {
				$rights[] = $right;
			}
		}
		$limits = [ 'RateLimits' => [ 'websocket-send' => $isLimited ? [ 'ip' => [ 3, 60 ] ] : [] ] ];
		$token = $this->tokens( $id ? null : $this->block( $block ), $limits )
			->forAuthority( $this->authority( $id, $rights, $id ? $this->block( $block ) : null ), $this->request() );
		$claims = Fixtures::claims( $token['token'] );
		$this->assertSame( [
			'subscribe' => [ '*' ],
			'send' => $hasSend && $block !== 'sitewide' ? [ '*' ] : [],
			'presence' => $hasPresence ? [ '*' ] : [],
		], $claims['allow'] );
		$this->assertSame( $isLimited ? [ 'count' => 3, 'seconds' => 60 ] : null, $claims['rate'] ?? null );
		$this->assertSame( $id ? 'Alice' : '', $claims['sub'] );
		$this->assertSame( [ 'mydb:', 'connect' ], [ $claims['iss'], $claims['aud'] ] );
		$this->assertSame( $id ? 1800 : 86400, $claims['exp'] - $claims['iat'] );
		$this->assertArrayNotHasKey( 'rights', $claims );
	}

	public function testWhoMayNotReadGetsAToken(): void {
		$all = [ 'websocket-send', 'websocket-presence', 'websocket-admin' ];
		foreach ( [ 0, 7 ] as $id ) {
			$this->assertNull( $this->tokens()->forAuthority( $this->authority( $id, $all ), $this->request() ) );
		}
		$this->assertNull( $this->tokens( null, [], array_fill_keys( $all, true ) )->forPublic() );
		$withoutKey = $this->tokens( null, [ 'SecretKey' => '' ], [ 'read' => true ] );
		$this->assertNull( $withoutKey->forPublic() );
		$this->assertNull( $withoutKey->forAuthority( $this->authority( 0, [ 'read' ] ), $this->request() ) );
	}

	public function testRightsThatNoPolicyAsksForAreInTheToken(): void {
		$attribute = [ 'A' => [ 'read' => 'patrol' ], 'B' => [ 'send' => 'delete' ], 'C' => [ 'send' => 'block' ] ];
		$rights = [ 'read', 'block', 'patrol', 'userrights' ];
		$token = $this->tokens( null, [], [], $attribute )
			->forAuthority( $this->authority( 0, $rights ), $this->request() );
		$this->assertSame( [ 'block', 'patrol' ], Fixtures::claims( $token['token'] )['rights'] );
		$public = [ 'read' => true, 'delete' => true, 'userrights' => true ];
		$token = $this->tokens( null, [], $public, $attribute )->forPublic();
		$this->assertSame( [ 'delete' ], Fixtures::claims( $token['token'] )['rights'] );
	}

	public function testCachedPageCarriesTheRightsOfItsFirstReader(): void {
		$claims = Fixtures::claims( $this->tokens( null, [], [ 'read' => true ] )->forPublic()['token'] );
		$this->assertSame( [ '', 'connect' ], [ $claims['sub'], $claims['aud'] ] );
		$this->assertSame( [ 'subscribe' => [ '*' ], 'send' => [], 'presence' => [] ], $claims['allow'] );
		$rights = [ 'read' => true, 'websocket-send' => true, 'websocket-presence' => true ];
		$claims = Fixtures::claims( $this->tokens( null, [], $rights )->forPublic()['token'] );
		$this->assertSame( [ 'subscribe' => [ '*' ], 'send' => [ '*' ], 'presence' => [ '*' ] ], $claims['allow'] );
		$this->assertSame( [ 'count' => 3, 'seconds' => 60 ], $claims['rate'] );
		$this->assertSame( 86400, $claims['exp'] - $claims['iat'] );
	}

	public function testWhoMaySendNothingAtAllMaySend(): void {
		$never = [ 'RateLimits' => [ 'websocket-send' => [ 'ip' => [ 0, 60 ] ] ] ];
		$rights = [ 'read', 'websocket-send' ];
		$token = $this->tokens( null, $never )->forAuthority( $this->authority( 0, $rights ), $this->request() );
		$this->assertSame( [], Fixtures::claims( $token['token'] )['allow']['send'] );
		$token = $this->tokens( null, $never, array_fill_keys( $rights, true ) )->forPublic();
		$this->assertSame( [], Fixtures::claims( $token['token'] )['allow']['send'] );
	}

	public function testSessions(): void {
		$tokens = $this->tokens();
		$user = $this->authority( 7, [ 'read' ] );
		$visitor = $this->authority( 0, [ 'read' ] );
		$this->assertSame(
			$tokens->sessionName( $user, $this->request() ),
			$tokens->sessionName( $user, $this->request() ),
			'those who may end the session can name it'
		);
		$this->assertNotSame(
			$tokens->sessionName( $visitor, $this->request() ),
			$tokens->sessionName( $visitor, $this->request() ),
			'a visitor whom MediaWiki has put in the place of a user is not in the session of that user'
		);
		$this->assertStringNotContainsString( 'whoever', $tokens->sessionName( $user, $this->request() ) );
	}

	public function testSessionThatNobodyCanLogInToIsNotWrittenTo(): void {
		foreach ( [ false, true ] as $canSetUser ) {
			$session = $this->createMock( Session::class );
			$session->method( 'getId' )->willReturn( 'id' );
			$session->method( 'canSetUser' )->willReturn( $canSetUser );
			$session->expects( $this->exactly( (int)$canSetUser ) )->method( 'set' )->with( $this->anything(), 'id' );
			$request = $this->createMock( FauxRequest::class );
			$request->method( 'getSession' )->willReturn( $session );
			$this->assertSame(
				( new TokenMinter( Fixtures::wiki(), 1800 ) )->sessionName( 'id' ),
				$this->tokens()->sessionName( $this->authority( 7, [ 'read' ] ), $request )
			);
		}
	}

	public function testExemptVisitorIsBlockedByHisAddress(): void {
		$rights = [ 'read', 'websocket-send', 'ipblock-exempt' ];
		$token = $this->tokens( $this->block( 'sitewide' ) )
			->forAuthority( $this->authority( 0, $rights ), $this->request() );
		$this->assertSame( [ '*' ], Fixtures::claims( $token['token'] )['allow']['send'] );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use FauxRequest;
use MediaWiki\Block\Restriction\PageRestriction;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiIntegrationTestCase;
use RequestContext;
use User;

/**
 * @covers \MediaWiki\Extension\WebSocket\ConnectTokens
 * @group Database
 */
class ConnectTokensTest extends MediaWikiIntegrationTestCase {
	private const ADDRESS = '192.0.2.77';

	protected function setUp(): void {
		parent::setUp();
		$this->tablesUsed = [ 'ipblocks', 'ipblocks_restrictions', 'page', 'revision', 'user', 'user_groups' ];
		$this->overrideConfigValue( 'RateLimits', [ 'websocket-send' => [
			'ip' => [ 3, 60 ],
			'newbie' => [ 4, 60 ],
			'user' => [ 5, 60 ],
			'bot' => [ 6, 60 ],
		] ] );
		$this->setGroupPermissions( [
			'*' => [ 'read' => true, 'websocket-send' => true, 'websocket-presence' => false ],
			'user' => [ 'websocket-send' => true, 'websocket-presence' => true ],
			'bot' => [ 'noratelimit' => false ],
			'sysop' => [ 'noratelimit' => false ],
		] );
	}

	private function request(): FauxRequest {
		$request = new FauxRequest();
		$request->setIP( self::ADDRESS );
		return $request;
	}

	/** @return array|null What the token says */
	private function claims( User $user, bool $isOfSession = true ): ?array {
		$request = $this->request();
		RequestContext::getMain()->setRequest( $request );
		RequestContext::getMain()->setUser( $isOfSession ? $user : $this->getTestSysop()->getUser() );
		$token = $this->getServiceContainer()->getService( 'WebSocket.ConnectTokens' )
			->forAuthority( $user, $request );
		return $token ? Fixtures::claims( $token['token'] ) : null;
	}

	private function visitor(): User {
		return $this->getServiceContainer()->getUserFactory()->newAnonymous( self::ADDRESS );
	}

	/**
	 * @param User|string $target
	 */
	private function block( $target, array $options = [], array $restrictions = [] ): void {
		$options += [ 'isAutoblocking' => false ];
		$status = $this->getServiceContainer()->getBlockUserFactory()->newBlockUser(
			$target, $this->getTestSysop()->getUser(), 'infinity', 'a test', $options, $restrictions
		)->placeBlock();
		$this->assertTrue( $status->isGood(), (string)$status );
	}

	public function testRightsOfGroups(): void {
		$user = $this->claims( $this->getMutableTestUser()->getUser() );
		$this->assertSame( [ '*' ], $user['allow']['send'] );
		$this->assertSame( [ '*' ], $user['allow']['presence'] );
		$this->assertSame( [ 'count' => 5, 'seconds' => 60 ], $user['rate'] );
		$this->assertSame( 6, $this->claims( $this->getMutableTestUser( [ 'bot' ] )->getUser() )['rate']['count'] );
		$visitor = $this->claims( $this->visitor() );
		$this->assertSame( [ '', [ '*' ], [] ], [
			$visitor['sub'], $visitor['allow']['send'], $visitor['allow']['presence']
		] );
		$this->assertSame( 3, $visitor['rate']['count'] );
		$this->overrideConfigValue( 'AutoConfirmCount', 1000 );
		$this->assertSame( 3, $this->claims( $this->getMutableTestUser()->getUser() )['rate']['count'], 'a newbie' );
	}

	public function testWhoHasLostTheRightStillSends(): void {
		$this->setGroupPermissions( 'user', 'websocket-send', false );
		$this->setGroupPermissions( '*', 'websocket-send', false );
		$this->assertSame( [], $this->claims( $this->visitor() )['allow']['send'] );
		$this->assertSame( [], $this->claims( $this->getMutableTestUser()->getUser() )['allow']['send'] );
		$this->setGroupPermissions( 'bot', 'websocket-send', true );
		$bot = $this->getMutableTestUser( [ 'bot' ] )->getUser();
		$this->assertSame( [ '*' ], $this->claims( $bot )['allow']['send'] );
	}

	public function testBlockedUserStillSends(): void {
		$user = $this->getMutableTestUser()->getUser();
		$this->block( $user );
		$claims = $this->claims( $this->fresh( $user ) );
		$this->assertSame( [], $claims['allow']['send'] );
		$this->assertSame( [ '*' ], $claims['allow']['subscribe'], 'who may read may go on reading' );
		$this->assertSame( [], $this->claims( $this->fresh( $user ), false )['allow']['send'], 'whose request it is' );
	}

	public function testUserBlockedFromOnePageIsSilenced(): void {
		$page = $this->getExistingTestPage();
		$user = $this->getMutableTestUser()->getUser();
		$this->block( $user, [], [ new PageRestriction( 0, $page->getId() ) ] );
		$this->assertSame( [ '*' ], $this->claims( $this->fresh( $user ) )['allow']['send'] );
	}

	public function testBlockedAddressStillSends(): void {
		$this->block( self::ADDRESS, [ 'isHardBlock' => false ] );
		$this->assertSame( [], $this->claims( $this->visitor() )['allow']['send'] );
		$user = $this->getMutableTestUser()->getUser();
		$this->assertSame( [ '*' ], $this->claims( $user )['allow']['send'], 'the block is for visitors' );
	}

	public function testBlockedRangeAndWhoIsExempt(): void {
		$this->block( '192.0.2.0/24', [ 'isHardBlock' => true ] );
		$this->assertSame( [], $this->claims( $this->visitor() )['allow']['send'] );
		$this->assertSame( [], $this->claims( $this->visitor(), false )['allow']['send'], 'in the place of a user' );
		$this->assertSame( [], $this->claims( $this->getMutableTestUser()->getUser() )['allow']['send'] );
		$this->setGroupPermissions( 'bot', 'ipblock-exempt', true );
		$bot = $this->getMutableTestUser( [ 'bot' ] )->getUser();
		$this->assertSame( [ '*' ], $this->claims( $bot )['allow']['send'] );
	}

	public function testPageInACacheTellsOfItsFirstReader(): void {
		$this->block( self::ADDRESS );
		RequestContext::getMain()->setRequest( $this->request() );
		RequestContext::getMain()->setUser( $this->getTestSysop()->getUser() );
		$tokens = $this->getServiceContainer()->getService( 'WebSocket.ConnectTokens' );
		$claims = Fixtures::claims( $tokens->forPublic()['token'] );
		$this->assertSame( '', $claims['sub'] );
		$this->assertSame( [ 'subscribe' => [ '*' ], 'send' => [ '*' ], 'presence' => [] ], $claims['allow'] );
		$this->assertSame( 3, $claims['rate']['count'] );
		$this->assertArrayNotHasKey( 'rights', $claims );
	}

	public function testPrivateWikiGivesVisitorsATokenForItsPages(): void {
		$this->setGroupPermissions( '*', 'read', false );
		$this->setGroupPermissions( 'user', 'read', true );
		$this->assertNull( $this->claims( $this->visitor() ) );
		$tokens = $this->getServiceContainer()->getService( 'WebSocket.ConnectTokens' );
		$this->assertNull( $tokens->forPublic(), 'in the HTML of the login page' );
		$user = $this->getMutableTestUser()->getUser();
		$this->assertSame( $user->getName(), $this->claims( $user )['sub'] );
	}

	public function testReaderWhoseGroupMayNotReadAnyMore(): void {
		$user = $this->getMutableTestUser( [ 'suspended' ] )->getUser();
		$this->assertNotNull( $this->claims( $user ) );
		$this->overrideConfigValue( 'RevokePermissions', [ 'suspended' => [ 'read' => true ] ] );
		$this->assertNull( $this->claims( $this->fresh( $user ) ) );
		$this->assertNotNull( $this->claims( $this->getMutableTestUser()->getUser() ) );
	}

	private function fresh( User $user ): User {
		return $this->getServiceContainer()->getUserFactory()->newFromId( $user->getId() );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use DeferredUpdates;
use DerivativeContext;
use FauxRequest;
use MediaWiki\Auth\AuthManager;
use MediaWiki\Auth\PasswordAuthenticationRequest;
use MediaWiki\Auth\TemporaryPasswordAuthenticationRequest;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\Tests\PublishingTestCase;
use MediaWiki\Session\SessionManager;
use MediaWiki\User\UserIdentityValue;
use RequestContext;
use StatusValue;
use User;
use WebSocket;
use Wikimedia\ScopedCallback;
use Wikimedia\TestingAccessWrapper;
use WikiPage;

/**
 * What the wiki does by its own means must end the connections that were opened with more rights than are left.
 *
 * @covers \MediaWiki\Extension\WebSocket\Hook\AccountRevocationHandler
 * @covers \MediaWiki\Extension\WebSocket\Hook\PageRevocationHandler
 * @covers \MediaWiki\Extension\WebSocket\Revocation\SessionListener
 * @covers \MediaWiki\Extension\WebSocket\Revocation\CredentialsListener
 * @covers \MediaWiki\Extension\WebSocket\Types\TypeRegistry::typesOfPage
 * @group Database
 */
class RevocationTest extends PublishingTestCase {
	private User $user;
	private User $sysop;
	private ?ScopedCallback $asOnTheWeb = null;

	protected function setUp(): void {
		parent::setUp();
		// There deferred updates run at the end.
		$this->asOnTheWeb = DeferredUpdates::preventOpportunisticUpdates();
		$this->tablesUsed = [ 'user', 'user_groups', 'ipblocks', 'page', 'revision', 'recentchanges', 'logging' ];
		$this->sysop = $this->getTestSysop()->getUser();
		$this->user = $this->getMutableTestUser()->getUser();
		$this->revoked();
	}

	protected function tearDown(): void {
		ScopedCallback::consume( $this->asOnTheWeb );
		parent::tearDown();
	}

	private function assertRevoked( string $why = '' ): void {
		$this->assertSame( [ [ 'user', $this->user->getName() ] ], $this->revoked(), $why );
	}

	private function block( array $options = [], string $expiry = 'infinity', ?string $target = null ): void {
		$status = $this->getServiceContainer()->getBlockUserFactory()
			->newBlockUser( $target ?? $this->user, $this->sysop, $expiry, 'why', $options )
			->placeBlockUnsafe( true );
		$this->assertTrue( $status->isOK(), (string)$status );
	}

	private function hook( string $name, array $args ): void {
		$this->getServiceContainer()->getHookContainer()->run( $name, $args );
	}

	public function testUserWhoLostAGroupKeepsItsRightsOnTheStream(): void {
		$this->getServiceContainer()->getUserGroupManager()->addUserToGroup( $this->user, 'sysop' );
		$this->revoked();
		$performer = $this->getTestUser( [ 'bureaucrat', 'sysop' ] )->getUser();
		$this->revoked();
		$context = new DerivativeContext( RequestContext::getMain() );
		$context->setRequest( new FauxRequest() );
		$context->setUser( $performer );
		/** @var \UserrightsPage|\MediaWiki\Specials\SpecialUserRights $page */
		$page = $this->getServiceContainer()->getSpecialPageFactory()->getPage( 'Userrights' );
		$page->setContext( $context );
		[ , $removed ] = $page->doSaveUserGroups( $this->user, [], [ 'sysop' ] );
		$this->assertSame( [ 'sysop' ], array_values( $removed ) );
		$this->assertRevoked();
	}

	public function testMaintenanceScriptTakesAGroupAway(): void {
		$manager = $this->getServiceContainer()->getUserGroupManager();
		$manager->addUserToGroup( $this->user, 'bot' );
		$this->revoked();
		$this->assertTrue( $manager->removeUserFromGroup( $this->user, 'bot' ) );
		$this->assertRevoked();
	}

	public function testUserOfAnotherWikiIsNotConfusedWithOneOfThis(): void {
		$other = new UserIdentityValue( 7, $this->user->getName(), 'otherwiki' );
		$this->hook( 'UserGroupsChanged', [ $other, [], [ 'sysop' ], false, false, [], [] ] );
		$this->assertSame( [], $this->revoked() );
	}

	public function testBlockedUserKeepsStream(): void {
		$this->block();
		$this->assertRevoked();
		$this->block( [ 'isEmailBlocked' => true ] );
		$this->assertRevoked( 'a changed block' );
		$this->getServiceContainer()->getUnblockUserFactory()
			->newUnblockUser( $this->user, $this->sysop, 'sorry' )->unblockUnsafe();
		$this->assertRevoked( 'may send again' );
	}

	public function testBlockOfAnAddressRevokesNobody(): void {
		$this->block( [], '1 day', '192.0.2.7' );
		$this->block( [], '1 day', '192.0.2.0/24' );
		$this->getServiceContainer()->getUnblockUserFactory()
			->newUnblockUser( '192.0.2.7', $this->sysop, '' )->unblockUnsafe();
		$this->assertSame( [], $this->revoked() );
	}

	/** @return User Logged in, with a session of his own */
	private function loggedIn(): User {
		$request = new FauxRequest();
		$session = SessionManager::singleton()->getEmptySession( $request );
		$session->setUser( $this->user );
		$request->setSessionId( $session->getSessionId() );
		return User::newFromSession( $request );
	}

	/** @return string The name of the user's session in tokens that are made now */
	private function sid( User $user ): string {
		$tokens = $this->getServiceContainer()->getService( 'WebSocket.ConnectTokens' );
		return Fixtures::claims( $tokens->forAuthority( $user, $user->getRequest() )['token'] )['sid'];
	}

	public function testTabFromBeforeASecondLoginStaysAfterTheLogout(): void {
		$user = $this->loggedIn();
		$session = $user->getRequest()->getSession();
		$sid = $this->sid( $user );
		$id = $session->getId();
		// As each login does, also the one that MediaWiki asks for before a new password.
		$session->resetId();
		$session->persist();
		$this->assertNotSame( $id, $session->getId() );
		$this->assertSame( $sid, $this->sid( $user ) );
		$this->revoked();
		$user->logout();
		$this->assertSame( [ [ 'session', $sid ] ], $this->revoked() );

		$session->resetId();
		$session->setUser( $this->user );
		$this->assertNotSame( $sid, $this->sid( User::newFromSession( $user->getRequest() ) ), 'another login' );
	}

	public function testLoggedOutBrowserKeepsStream(): void {
		$user = $this->loggedIn();
		$request = $user->getRequest();
		$tokens = $this->getServiceContainer()->getService( 'WebSocket.TokenMinter' );
		$name = $tokens->sessionName( $request->getSession()->getId() );
		$this->revoked();
		$user->logout();
		$this->assertSame( [ [ 'session', $name ] ], $this->revoked(), 'and no other browser of the same user' );
	}

	/** With the providers that wikis have, which the tests of MediaWiki replace. */
	private function authManager(): AuthManager {
		$this->setMwGlobals( 'wgAuthManagerConfig', null );
		$this->getServiceContainer()->resetServiceForTesting( 'AuthManager' );
		return $this->getServiceContainer()->getAuthManager();
	}

	public function testThiefOfAPasswordStaysAfterItWasChanged(): void {
		$auth = $this->authManager();
		$request = new PasswordAuthenticationRequest();
		$request->username = $this->user->getName();
		$request->password = $request->retype = 'A long new password';
		$this->assertTrue( $this->user->changeAuthenticationData( [
			'password' => $request->password,
			'retype' => $request->retype,
		] )->isGood() );
		$this->assertRevoked( 'maintenance/changePassword.php' );

		$auth->changeAuthenticationData( $request );
		$this->assertRevoked( 'the login that a reset leads to' );

		$this->hook( 'ChangeAuthenticationDataAudit', [ $request, StatusValue::newGood() ] );
		$this->assertRevoked( 'other providers' );
		$this->hook( 'ChangeAuthenticationDataAudit', [ $request, StatusValue::newFatal( 'badaccess' ) ] );
		$this->assertSame( [], $this->revoked(), 'nothing has changed' );
	}

	public function testStrangerCannotEndTheConnectionsOfOthersByAskingForAPassword(): void {
		$request = TemporaryPasswordAuthenticationRequest::newRandom();
		$request->username = $this->user->getName();
		$request->mailpassword = false;
		$this->authManager()->changeAuthenticationData( $request, true );
		$this->assertSame( [], $this->revoked() );
	}

	public function testLoginGoesOnAsBefore(): void {
		$auth = $this->authManager();
		$password = 'A long new password';
		$this->user->changeAuthenticationData( [ 'password' => $password, 'retype' => $password ] );
		$this->revoked();
		$request = new PasswordAuthenticationRequest();
		$request->username = $this->user->getName();
		$request->password = $password;
		$request->action = 'login';
		$response = $auth->beginAuthentication( [ $request ], 'http://wiki.example/' );
		$this->assertSame( 'PASS', $response->status, (string)$response->message );
		$this->assertSame( [], $this->revoked() );
	}

	public function testSessionThatWasEndedEverywhereLivesOn(): void {
		$manager = SessionManager::singleton();
		$manager->invalidateSessionsForUser( $this->user );
		$this->assertRevoked();
		$names = array_map( 'get_class', TestingAccessWrapper::newFromObject( $manager )->getProviders() );
		$this->assertContains( \MediaWiki\Session\CookieSessionProvider::class, $names, 'the others are still there' );
	}

	public function testAccountThatWasTakenOverKeepsStream(): void {
		User::newSystemUser( $this->user->getName(), [ 'steal' => true ] );
		$this->assertContains( [ 'user', $this->user->getName() ], $this->revoked() );
	}

	public function testOldNameOfARenamedOrMergedUserKeepsStream(): void {
		$this->hook( 'RenameUserComplete', [ $this->user->getId(), 'Old', 'New' ] );
		$this->assertSame( [ [ 'user', 'Old' ], [ 'user', 'New' ] ], $this->revoked() );
		$old = $this->user;
		$new = $this->sysop;
		$this->hook( 'MergeAccountFromTo', [ &$old, &$new ] );
		$this->assertSame( [ [ 'user', $old->getName() ], [ 'user', $new->getName() ] ], $this->revoked() );
		$this->hook( 'DeleteAccount', [ &$old ] );
		$this->assertRevoked();
	}

	private function page(): WikiPage {
		$this->editPage( 'Guarded page', 'text ' . mt_rand(), '', NS_MAIN, $this->sysop );
		$page = $this->getServiceContainer()->getWikiPageFactory()
			->newFromTitle( \Title::newFromText( 'Guarded page' ) );
		$this->revoked();
		return $page;
	}

	private function protect( WikiPage $page, string $level ): void {
		$cascade = false;
		$page->doUpdateRestrictions( [ 'edit' => $level ], [ 'edit' => 'infinity' ], $cascade, 'war', $this->sysop );
	}

	public function testReaderOfAProtectedMovedOrDeletedPageKeepsItsStream(): void {
		$this->overrideSettings( [
			'WebSocketPerPageRead' => true,
			'WebSocketTypes' => [ 'Votes/{page}' => [ 'read' => 'page' ], 'Open/{page}' => [] ],
		] );
		$page = $this->page();
		$id = $page->getId();
		$wiki = WebSocket::wikiID();
		$types = [ [ 'type', "$wiki@page/$id" ], [ 'type', "{$wiki}Votes/$id" ] ];

		$this->protect( $page, 'sysop' );
		$this->assertSame( $types, $this->revoked(), 'protected' );
		$this->protect( $page, '' );
		$this->assertSame( $types, $this->revoked(), 'unprotected' );
		$services = $this->getServiceContainer();
		$services->getMovePageFactory()
			->newMovePage( $page->getTitle(), \Title::newFromText( 'Project:Guarded page' ) )
			->move( $this->sysop, '', false );
		$this->assertSame( $types, $this->revoked(), 'moved' );
		$moved = $services->getWikiPageFactory()->newFromTitle( \Title::newFromText( 'Project:Guarded page' ) );
		$services->getDeletePageFactory()->newDeletePage( $moved, $this->sysop )
			->forceImmediate( true )->deleteUnsafe( 'spam' );
		$this->assertSame( $types, $this->revoked(), 'deleted' );
	}

	public function testReaderOfAClosedPageGoesOnUnderTheSharedName(): void {
		$this->overrideSettings( [ 'WebSocketTypes' => [ 'Live{page}' => [ 'shared' => true, 'token' => true ] ] ] );
		$page = $this->page();
		$this->protect( $page, 'sysop' );
		$name = "Live{$page->getId()}";
		$this->assertSame( [ [ 'type', WebSocket::wikiID() . $name ], [ 'type', $name ] ], $this->revoked() );
	}

	public function testPagesThatEverybodyReadsHaveNothingToRevoke(): void {
		$page = $this->page();
		$this->protect( $page, 'sysop' );
		$this->assertSame( [], $this->revoked() );
	}
}

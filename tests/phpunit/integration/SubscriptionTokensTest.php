<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use ExtensionRegistry;
use FauxRequest;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Permissions\Authority;
use MediaWikiIntegrationTestCase;
use User;
use WebSocket;
use Wikimedia\ScopedCallback;

/**
 * @covers \MediaWiki\Extension\WebSocket\Hook\HookRunner
 * @covers \MediaWiki\Extension\WebSocket\SubscriptionTokens
 * @covers \MediaWiki\Extension\WebSocket\Types\TypeMatch
 * @group Database
 */
class SubscriptionTokensTest extends MediaWikiIntegrationTestCase {
	private const TYPES = [
		'Open' => [ 'send' => 'anyone' ],
		'Inbox/{user}' => [],
		'Notes/{page}' => [ 'read' => 'page', 'send' => 'user' ],
		'Count/{page}' => [],
		'Room/*' => [ 'token' => true ],
		'Staff/*' => [ 'token' => true, 'read' => 'delete' ],
		'Members' => [ 'token' => true, 'read' => 'user' ],
		'Bell' => [ 'token' => true, 'shared' => true ],
	];

	/** @var string[] Types that the hook has been asked about */
	private array $asked = [];

	protected function setUp(): void {
		parent::setUp();
		$this->tablesUsed = [ 'page', 'revision', 'user', 'user_groups' ];
		$this->setGroupPermissions( '*', 'read', true );
		$this->declare( [] );
	}

	private function declare( array $settings ): void {
		foreach ( $settings + [ 'WebSocketTypes' => self::TYPES ] as $name => $value ) {
			$this->setMwGlobals( "wg$name", $value );
		}
		$services = $this->getServiceContainer();
		foreach ( $services->getServiceNames() as $name ) {
			if ( str_starts_with( $name, 'WebSocket.' ) ) {
				$services->resetServiceForTesting( $name );
			}
		}
	}

	/** @param callable $decide Gets the performer and the type, says what becomes of $allowed */
	private function decide( callable $decide ): void {
		$this->setTemporaryHook( 'WebSocketSubscribe',
			function ( Authority $performer, string $type, ?bool &$allowed ) use ( $decide ) {
				$this->asked[] = $type . ' ' . json_encode( $allowed );
				$allowed = $decide( $performer, $type, $allowed );
			}
		);
	}

	private function issue( Authority $authority, array $types ): array {
		$prefix = static fn ( string $type ): string => WebSocket::wikiID() . $type;
		return $this->issueExactly( $authority, array_map( $prefix, $types ) );
	}

	private function issueExactly( Authority $authority, array $types ): array {
		return $this->getServiceContainer()->getService( 'WebSocket.SubscriptionTokens' )
			->issue( $authority, new FauxRequest(), $types );
	}

	/** @return string "token", or the code of the refusal */
	private function outcome( Authority $authority, string $type ): string {
		$answer = $this->issue( $authority, [ $type ] );
		$this->assertCount( 1, [ ...$answer['tokens'], ...$answer['refused'] ] );
		return $answer['refused'][0]['code'] ?? 'token';
	}

	private function visitor(): User {
		return $this->getServiceContainer()->getUserFactory()->newAnonymous( '192.0.2.1' );
	}

	public function testWhatATokenSays(): void {
		$this->declare( [ 'WebSocketTokenLife' => 60 ] );
		$user = $this->getMutableTestUser()->getUser();
		$type = WebSocket::wikiID() . 'Inbox/' . $user->getName();
		[ $token ] = $this->issueExactly( $user, [ $type ] )['tokens'];
		$claims = Fixtures::claims( $token['token'] );
		$this->assertSame( [ $type, $claims['exp'] ], [ $token['type'], $token['expires'] ] );
		$this->assertSame( [ WebSocket::wikiID(), 'subscribe', $user->getName(), $type ], [
			$claims['iss'], $claims['aud'], $claims['sub'], $claims['type']
		] );
		$this->assertSame( 60, $claims['exp'] - $claims['iat'] );
		$this->assertEqualsWithDelta( time(), $claims['iat'], 60 );
		$this->assertSame( [ 'iss', 'aud', 'sub', 'iat', 'exp', 'sid', 'type' ], array_keys( $claims ) );
	}

	public function testStrangerReadsAUsersInbox(): void {
		$user = $this->getMutableTestUser()->getUser();
		$name = $user->getName();
		$this->assertSame( 'token', $this->outcome( $user, "Inbox/$name" ) );
		$others = [ "Inbox/{$name}x", 'Inbox/' . lcfirst( $name ), "Inbox/$name ", 'Inbox/' . strtr( $name, ' ', '_' ),
			"Inbox/User:$name", 'Inbox/*', 'Inbox/{user}', 'Inbox/192.0.2.1' ];
		foreach ( array_diff( $others, [ "Inbox/$name" ] ) as $type ) {
			$this->assertSame( 'forbidden', $this->outcome( $user, $type ), $type );
		}
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), "Inbox/$name" ) );
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), 'Inbox/192.0.2.1' ) );
		$this->assertSame( 'forbidden', $this->outcome( $this->getTestSysop()->getUser(), "Inbox/$name" ) );
		$this->assertSame( 'bad-request', $this->outcome( $user, 'Inbox/' ), 'covered by nothing' );
	}

	public function testReaderOfAPageThatHeMayNotRead(): void {
		$open = $this->getExistingTestPage( 'Open page' )->getId();
		$closed = $this->getExistingTestPage( 'Closed page' )->getId();
		$this->setTemporaryHook( 'getUserPermissionsErrors', static function ( $title, $user, $action, &$result ) {
			if ( $action === 'read' && $title->getText() === 'Closed page' && !$user->isAllowed( 'delete' ) ) {
				$result = [ 'badaccess-group0' ];
				return false;
			}
		} );
		$user = $this->getMutableTestUser()->getUser();
		$this->assertSame( 'token', $this->outcome( $user, "Notes/$open" ) );
		$this->assertSame( 'token', $this->outcome( $this->visitor(), "Notes/$open" ) );
		$this->assertSame( 'forbidden', $this->outcome( $user, "Notes/$closed" ) );
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), "Notes/$closed" ) );
		$this->assertSame( 'token', $this->outcome( $this->getTestSysop()->getUser(), "Notes/$closed" ) );
		$this->assertSame( 'forbidden', $this->outcome( $user, 'Notes/' . ( $closed + 1000 ) ) );
		$refused = $this->issue( $user, [ "Notes/$closed", 'Notes/' . ( $closed + 1000 ) ] )['refused'];
		$this->assertSame( $refused[0]['message'], $refused[1]['message'], 'which page there is, is not told' );
		foreach ( [ 'Notes/x', 'Notes/0', "Notes/0$open", "Notes/$open.0", "Notes/-$open", "Notes/$open " ] as $type ) {
			$this->assertSame( 'bad-request', $this->outcome( $user, $type ), $type );
		}
	}

	public function testWikiWhosePagesDiffer(): void {
		$page = $this->getExistingTestPage()->getId();
		$user = $this->getMutableTestUser()->getUser();
		$this->assertSame( 'bad-request', $this->outcome( $user, "@page/$page" ), 'needs none' );
		$this->declare( [ 'WebSocketPerPageRead' => true ] );
		$this->assertSame( 'token', $this->outcome( $user, "@page/$page" ) );
		$this->assertSame( 'token', $this->outcome( $this->visitor(), "@page/$page" ) );
		$this->assertSame( 'bad-request', $this->outcome( $user, '@changes' ), 'needs a right, no token' );
	}

	public function testTypesThatNobodyDecidesAbout(): void {
		$user = $this->getMutableTestUser()->getUser();
		foreach ( [ 'Room/1', 'Members', 'Staff/1' ] as $type ) {
			$this->assertSame( 'forbidden', $this->outcome( $user, $type ), $type );
		}
	}

	public function testHookDecides(): void {
		$user = $this->getMutableTestUser()->getUser();
		$page = $this->getExistingTestPage()->getId();
		$this->decide( static fn ( $performer, $type, $allowed ) => match ( true ) {
			$type === 'Room/1', $type === 'Members', $type === 'Bell' => true,
			$type === 'Room/2' => false,
			$type === "Notes/$page" => $performer->isAllowed( 'delete' ),
			default => $allowed,
		} );
		$this->assertSame( 'token', $this->outcome( $user, 'Room/1' ) );
		$this->assertSame( 'forbidden', $this->outcome( $user, 'Room/2' ) );
		$this->assertSame( 'forbidden', $this->outcome( $user, 'Room/3' ) );
		$this->assertSame( 'token', $this->outcome( $user, 'Members' ) );
		$this->assertSame( [ 'Room/1 null', 'Room/2 null', 'Room/3 null', 'Members null' ], $this->asked );
		$this->asked = [];
		$this->assertSame( 'forbidden', $this->outcome( $user, "Notes/$page" ), 'it may forbid what is allowed' );
		$this->assertSame( 'token', $this->outcome( $this->getTestSysop()->getUser(), "Notes/$page" ) );
		$this->assertSame( 'token', $this->outcome( $user, "Inbox/{$user->getName()}" ) );
		$this->assertSame(
			[ "Notes/$page true", "Notes/$page true", "Inbox/{$user->getName()} true" ],
			$this->asked
		);
	}

	public function testHookOpensWhatTheDeclarationCloses(): void {
		$this->decide( static fn () => true );
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), 'Members' ) );
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), 'Staff/1' ) );
		$this->assertSame( 'forbidden', $this->outcome( $this->getMutableTestUser()->getUser(), 'Staff/1' ) );
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), 'Inbox/192.0.2.1' ) );
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), 'Notes/99999999' ) );
		$this->assertSame( 'bad-request', $this->outcome( $this->visitor(), 'Open' ) );
		$this->assertSame( [], $this->asked );
		$this->assertSame( 'token', $this->outcome( $this->getTestSysop()->getUser(), 'Staff/1' ) );
	}

	public function testTruthyAnswerOfAHookIsTakenForYes(): void {
		$this->decide( static fn () => 1 );
		$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), 'Room/1' ) );
	}

	public function testWhoMayNotReadTheWikiReadsItsTypes(): void {
		$this->decide( static fn () => true );
		$page = $this->getExistingTestPage()->getId();
		$this->setGroupPermissions( '*', 'read', false );
		foreach ( [ "Notes/$page", 'Room/1' ] as $type ) {
			$this->assertSame( 'forbidden', $this->outcome( $this->visitor(), $type ) );
		}
	}

	public function testTypesThatAreNone(): void {
		$this->decide( static fn () => true );
		$own = WebSocket::wikiID();
		$bad = [
			'', 'Room/1', 'other:Room/1', "x$own", "Room/1$own", 'other:Bell',
			$own, "{$own}Open", "{$own}Nothing", "{$own}Count/1",
			"{$own}Room/\n", "{$own}Room/\xff", "{$own}Room/" . str_repeat( 'x', 251 - strlen( $own ) ),
		];
		$answer = $this->issueExactly( $this->getTestSysop()->getUser(), $bad );
		$this->assertSame( [], $answer['tokens'] );
		$this->assertCount( count( $bad ), $answer['refused'] );
		foreach ( $answer['refused'] as $refused ) {
			$this->assertSame( 'bad-request', $refused['code'] );
			$this->assertNotSame( '', $refused['message'] );
			$this->assertNotFalse( json_encode( $refused ) );
		}
		$this->assertSame( [], $this->asked );
	}

	public function testBareNameOfASharedType(): void {
		$this->decide( static fn () => true );
		$types = [ 'Bell', WebSocket::wikiID() . 'Bell' ];
		$answer = $this->issueExactly( $this->visitor(), $types );
		$this->assertSame( $types, array_column( $answer['tokens'], 'type' ) );
		$this->assertSame( 'Bell', Fixtures::claims( $answer['tokens'][0]['token'] )['type'] );
		$this->assertSame( [ 'Bell true', 'Bell true' ], str_replace( 'null', 'true', $this->asked ) );
	}

	public function testAnswersEachTypeOnce(): void {
		$user = $this->getMutableTestUser()->getUser();
		$inbox = 'Inbox/' . $user->getName();
		$answer = $this->issue( $user, [ 'Open', $inbox, 'Inbox/x', 'Open', $inbox ] );
		$own = WebSocket::wikiID();
		$this->assertSame( [ $own . $inbox ], array_column( $answer['tokens'], 'type' ) );
		$this->assertSame( [ "{$own}Open", "{$own}Inbox/x" ], array_column( $answer['refused'], 'type' ) );
	}

	public function testAttributeOfAnExtensionIsRead(): void {
		$scope = ExtensionRegistry::getInstance()->setAttributeForTest( 'WebSocketTypes', [
			'Mail/{user}' => [],
			'Room/*' => [ 'send' => 'anyone' ],
		] );
		$this->declare( [] );
		$user = $this->getMutableTestUser()->getUser();
		$this->assertSame( 'token', $this->outcome( $user, 'Mail/' . $user->getName() ) );
		$this->assertSame( 'forbidden', $this->outcome( $user, 'Room/1' ), '$wgWebSocketTypes stands over it' );
		ScopedCallback::consume( $scope );
	}
}

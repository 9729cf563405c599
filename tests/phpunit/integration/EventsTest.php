<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use FauxRequest;
use IDBAccessObject;
use ManualLogEntry;
use MediaWiki\Extension\WebSocket\Tests\PublishingTestCase;
use MediaWiki\MediaWikiServices;
use RecentChange;
use RequestContext;
use Title;
use User;
use WebSocket;
use WikiPage;

/**
 * @covers \MediaWiki\Extension\WebSocket\SystemEvents
 * @covers \MediaWiki\Extension\WebSocket\RestrictedLogs
 * @covers \MediaWiki\Extension\WebSocket\Hook\PageEventHandler
 * @covers \MediaWiki\Extension\WebSocket\Hook\RecentChangeHandler
 * @group Database
 */
class EventsTest extends PublishingTestCase {
	private User $sysop;

	protected function setUp(): void {
		parent::setUp();
		$this->tablesUsed = [ 'page', 'revision', 'archive', 'recentchanges', 'logging', 'page_restrictions' ];
		$this->sysop = $this->getTestSysop()->getUser();
	}

	/** A page that is there, all of whose events have been published. */
	private function existingPage( string $name = 'Event page' ): WikiPage {
		$this->editPage( $name, 'first', '', NS_MAIN, $this->sysop );
		$this->published();
		return $this->getServiceContainer()->getWikiPageFactory()->newFromTitle( Title::newFromText( $name ) );
	}

	/** @return array[] Messages of the events on a page */
	private function eventsOf( int $pageId, array $messages ): array {
		$type = WebSocket::wikiID() . "@page/$pageId";
		return array_column( array_filter( $messages, static fn ( $message ) => $message['type'] === $type ), 'msg' );
	}

	/** @return array[] Messages of the recent changes */
	private function changes( array $messages ): array {
		$type = WebSocket::wikiID() . '@changes';
		return array_column( array_filter( $messages, static fn ( $message ) => $message['type'] === $type ), 'msg' );
	}

	private function assertRecent( string $time ): void {
		$this->assertMatchesRegularExpression( '/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/D', $time );
		$this->assertEqualsWithDelta( time(), strtotime( $time ), 3600 );
	}

	public function testCreation(): void {
		$status = $this->editPage( 'New_page', 'text', 'why', NS_MAIN, $this->sysop );
		$revision = $status->value['revision-record'];
		$messages = $this->published();
		[ $event ] = $this->eventsOf( $revision->getPageId(), $messages );
		$this->assertRecent( $event['time'] );
		unset( $event['time'] );
		$this->assertSame( [
			'event' => 'create',
			'page' => $revision->getPageId(),
			'title' => 'New_page',
			'rev' => $revision->getId(),
			'user' => $this->sysop->getName(),
			'minor' => false,
			'bot' => false,
			'comment' => 'why',
		], $event );
		[ $change ] = $this->changes( $messages );
		$this->assertSame(
			[ 'new', 'New_page', 0, $revision->getPageId(), 0, 4 ],
			[ $change['type'], $change['title'], $change['namespace'], $change['page'], $change['oldLength'],
				$change['newLength'] ]
		);
		$this->assertArrayNotHasKey( 'from', $messages[0] );
		$this->assertCount( 2, $messages );
	}

	public function testEdit(): void {
		$page = $this->existingPage( 'Talk:Some page' );
		$parent = $page->getLatest();
		RequestContext::getMain()->setRequest( new FauxRequest( [ 'clientID' => 'WSeditor' ], true ) );
		$page->doUserEditContent(
			$page->getContentHandler()->unserializeContent( 'second, longer' ),
			$this->sysop, 'Zoë <script>', EDIT_MINOR | EDIT_FORCE_BOT
		);
		$messages = $this->published();
		$this->assertSame( [ 'WSeditor', '' ], [ $messages[0]['from'], $messages[0]['actor'] ] );
		[ $event ] = $this->eventsOf( $page->getId(), $messages );
		$this->assertSame(
			[ 'edit', 'Talk:Some_page', $page->getLatest(), $parent, true, true, 'Zoë <script>' ],
			[ $event['event'], $event['title'], $event['rev'], $event['parent'], $event['minor'], $event['bot'],
				$event['comment'] ]
		);
		[ $change ] = $this->changes( $messages );
		$this->assertRecent( $change['time'] );
		unset( $change['time'], $change['id'] );
		$this->assertSame( [
			'type' => 'edit',
			'title' => 'Talk:Some_page',
			'namespace' => NS_TALK,
			'page' => $page->getId(),
			'minor' => true,
			'oldLength' => 5,
			'newLength' => 14,
			'user' => $this->sysop->getName(),
			'bot' => true,
			'comment' => 'Zoë <script>',
			'rev' => $page->getLatest(),
			'parent' => $parent,
		], $change );
		$this->assertSame( [ 'WSeditor', 'WSeditor' ], array_column( $messages, 'from' ), 'the editor knows already' );
	}

	public function testNullEdit(): void {
		$this->existingPage();
		$this->editPage( 'Event page', 'first', '', NS_MAIN, $this->sysop );
		$this->assertSame( [], $this->published() );
	}

	public function testDeletionAndRestoration(): void {
		$page = $this->existingPage();
		$id = $page->getId();
		$services = $this->getServiceContainer();
		$services->getDeletePageFactory()->newDeletePage( $page, $this->sysop )
			->forceImmediate( true )->deleteUnsafe( 'spam' );
		$messages = $this->published();
		$events = $this->eventsOf( $id, $messages );
		$this->assertCount( 1, $events );
		$this->assertRecent( $events[0]['time'] );
		unset( $events[0]['time'] );
		$this->assertSame( [
			'event' => 'delete',
			'page' => $id,
			'title' => 'Event_page',
			'user' => $this->sysop->getName(),
			'comment' => 'spam',
		], $events[0] );
		$this->assertSame( [ 'delete' ], array_column( $this->changes( $messages ), 'logAction' ) );

		$page = $services->getWikiPageFactory()->newFromTitle( Title::newFromText( 'Event page' ) );
		$services->getUndeletePageFactory()->newUndeletePage( $page, $this->sysop )->undeleteUnsafe( 'sorry' );
		$messages = $this->published();
		$title = Title::newFromText( 'Event page' );
		$events = $this->eventsOf( $title->getArticleID( IDBAccessObject::READ_LATEST ), $messages );
		$this->assertCount( 1, $events, 'one event, whichever hooks this version has' );
		$rev = $title->getLatestRevID( IDBAccessObject::READ_LATEST );
		$this->assertSame(
			[ 'restore', 'Event_page', $rev, $this->sysop->getName(), 'sorry' ],
			[ $events[0]['event'], $events[0]['title'], $events[0]['rev'], $events[0]['user'], $events[0]['comment'] ]
		);
		$this->assertSame( [ 'restore' ], array_column( $this->changes( $messages ), 'logAction' ) );
	}

	public function testSuppressedDeletionIsSecret(): void {
		$page = $this->existingPage();
		$this->getServiceContainer()->getDeletePageFactory()->newDeletePage( $page, $this->sysop )
			->setSuppress( true )->forceImmediate( true )->deleteUnsafe( 'private data' );
		$this->assertSame( [], $this->published() );
	}

	public function testMove(): void {
		$page = $this->existingPage();
		$parent = $page->getLatest();
		$id = $page->getId();
		$this->getServiceContainer()->getMovePageFactory()
			->newMovePage( Title::newFromText( 'Event page' ), Title::newFromText( 'Moved page' ) )
			->move( $this->sysop, 'better name', true );
		$messages = $this->published();
		$events = $this->eventsOf( $id, $messages );
		$this->assertCount( 1, $events );
		$this->assertSame(
			[ 'move', 'Event_page', 'Moved_page', $parent, $this->sysop->getName(), 'better name' ],
			[ $events[0]['event'], $events[0]['title'], $events[0]['target'], $events[0]['parent'], $events[0]['user'],
				$events[0]['comment'] ]
		);
		$this->assertGreaterThan( $parent, $events[0]['rev'] );
		$redirect = Title::newFromText( 'Event page' )->getArticleID( IDBAccessObject::READ_LATEST );
		$this->assertSame( 'create', $this->eventsOf( $redirect, $messages )[0]['event'] );
		$this->assertContains( 'move', array_column( $this->changes( $messages ), 'logType' ) );
	}

	public function testProtection(): void {
		$page = $this->existingPage();
		$cascade = false;
		$page->doUpdateRestrictions( [ 'edit' => 'sysop' ], [ 'edit' => 'infinity' ], $cascade, 'war', $this->sysop );
		$messages = $this->published();
		$events = $this->eventsOf( $page->getId(), $messages );
		$this->assertCount( 1, $events );
		$this->assertSame(
			[ 'log', 'Event_page', 'protect', 'protect', $this->sysop->getName(), 'war' ],
			[ $events[0]['event'], $events[0]['title'], $events[0]['logType'], $events[0]['logAction'],
				$events[0]['user'], $events[0]['comment'] ]
		);
		[ $change ] = $this->changes( $messages );
		$this->assertSame(
			[ 'log', 'protect', 'protect' ],
			[ $change['type'], $change['logType'], $change['logAction'] ]
		);
	}

	public function testLogsThatFewMayReadAreSecret(): void {
		$page = $this->existingPage();
		$this->overrideSettings( [ 'LogRestrictions' => [ 'secretlog' => 'suppressionlog', 'openlog' => '*' ] ] );
		// The core's own check is in ManualLogEntry::publish(); whoever saves a change by himself passes it.
		foreach ( [ 'secretlog' => 0, 'openlog' => 2 ] as $type => $count ) {
			$this->saveLogChange( $page, $type, 0 );
			$this->assertCount( $count, $this->published(), $type );
		}
	}

	public function testDeletedChangesAreSecret(): void {
		$page = $this->existingPage();
		$this->saveLogChange( $page, 'openlog', 0 );
		$this->assertCount( 2, $this->published() );
		$this->saveLogChange( $page, 'openlog', 1 );
		$this->assertSame( [], $this->published() );
	}

	private function saveLogChange( WikiPage $page, string $type, int $deleted ): void {
		$entry = new ManualLogEntry( $type, 'act' );
		$entry->setPerformer( $this->sysop );
		$entry->setTarget( $page->getTitle() );
		$entry->setDeleted( $deleted );
		$entry->getRecentChange( 7 )->save( RecentChange::SEND_NONE );
	}

	public function testPrivateWikiPublishesToo(): void {
		$this->setGroupPermissions( '*', 'read', false );
		$this->editPage( 'Secret page', 'text', '', NS_MAIN, $this->sysop );
		$this->assertCount( 2, $this->published() );
		$registrar = MediaWikiServices::getInstance()->getService( 'WebSocket.Registrar' );
		$registrar->register();
		$registration = json_decode( $this->relay->requests()[1]['body'], true );
		$this->assertTrue( $registration['private'], 'and the relay is told that it is private' );
	}
}

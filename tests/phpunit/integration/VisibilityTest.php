<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use DeferredUpdates;
use ManualLogEntry;
use MediaWiki\Extension\WebSocket\Tests\PublishingTestCase;
use MediaWiki\Revision\RevisionRecord;
use RecentChange;
use RequestContext;
use RevisionDeleter;
use Title;
use User;
use WebSocket;
use WikiPage;

/**
 * What is hidden or suppressed must not be in an event, and pages must hear that they show something hidden.
 *
 * @covers \MediaWiki\Extension\WebSocket\Hook\VisibilityHandler
 * @covers \MediaWiki\Extension\WebSocket\Hook\PageEventHandler
 * @covers \MediaWiki\Extension\WebSocket\Hook\RecentChangeHandler
 * @covers \MediaWiki\Extension\WebSocket\HiddenNames
 * @group Database
 */
class VisibilityTest extends PublishingTestCase {
	private const TEXT = RevisionRecord::DELETED_TEXT;
	private const COMMENT = RevisionRecord::DELETED_COMMENT;
	private const USER = RevisionRecord::DELETED_USER;
	private const SUPPRESS = RevisionRecord::DELETED_RESTRICTED;

	private User $sysop;
	private User $vandal;

	protected function setUp(): void {
		parent::setUp();
		$this->tablesUsed = [
			'page', 'revision', 'archive', 'recentchanges', 'logging', 'ipblocks', 'user', 'actor', 'comment',
		];
		$this->sysop = $this->getTestUser( [ 'sysop', 'suppress' ] )->getUser();
		$this->vandal = $this->getMutableTestUser()->getUser();
		$this->setMwGlobals( 'wgHideUserContribLimit', 1000 );
	}

	private function edit( string $text, string $comment = '', string $page = 'Shown page' ): RevisionRecord {
		$title = Title::newFromText( $page );
		$status = $this->editPage( $title->getText(), $text, $comment, $title->getNamespace(), $this->vandal );
		return $status->value['revision-record'];
	}

	private function page( string $name = 'Shown page' ): WikiPage {
		return $this->getServiceContainer()->getWikiPageFactory()->newFromTitle( Title::newFromText( $name ) );
	}

	/**
	 * @param int[] $ids
	 * @param int $set Bits
	 * @param int $unset Bits
	 * @return array[] The events that pages get
	 */
	private function change( array $ids, int $set, int $unset = 0 ): array {
		RequestContext::getMain()->setUser( $this->sysop );
		$title = Title::newFromText( 'Shown page' );
		$list = RevisionDeleter::createList( 'revision', RequestContext::getMain(), $title, $ids );
		$bits = [];
		foreach ( [ self::TEXT, self::COMMENT, self::USER, self::SUPPRESS ] as $bit ) {
			$bits[$bit] = $set & $bit ? 1 : ( $unset & $bit ? 0 : -1 );
		}
		$status = $list->setVisibility( [ 'value' => $bits, 'comment' => 'private data' ] );
		$this->assertTrue( $status->isOK(), (string)$status );
		$events = array_filter(
			$this->published(),
			static fn ( $message ) => $message['type'] === WebSocket::wikiID() . '@page/' . $title->getArticleID()
				&& $message['msg']['event'] === 'visibility'
		);
		return array_values( array_map( static function ( $event ) {
			sort( $event['msg']['revs'] );
			return $event['msg'];
		}, $events ) );
	}

	private function hide( ?User $user = null ): void {
		$status = $this->getServiceContainer()->getBlockUserFactory()->newBlockUser(
			$user ?? $this->vandal, $this->sysop, 'infinity', 'abusive name', [ 'isHideUser' => true ]
		)->placeBlockUnsafe( true );
		$this->assertTrue( $status->isOK(), (string)$status );
	}

	private function assertNowhere( string $secret, array $messages ): void {
		$json = json_encode( $messages, JSON_UNESCAPED_UNICODE );
		$this->assertStringNotContainsString( $secret, $json );
		$this->assertStringNotContainsString( strtr( $secret, ' ', '_' ), $json );
	}

	public function testPagesHearWhatIsHidden(): void {
		$first = $this->edit( 'first' )->getId();
		$second = $this->edit( 'second' )->getId();
		$this->edit( 'third' );
		$this->published();
		$expected = [
			'event' => 'visibility',
			'page' => $this->page()->getId(),
			'title' => 'Shown_page',
			'revs' => [ $first, $second ],
			'hidden' => [ 'comment', 'user' ],
		];
		$this->assertSame( [ $expected ], $this->change( [ $first, $second ], self::COMMENT | self::USER ) );
		$this->assertSame(
			[ array_replace( $expected, [ 'revs' => [ $first ], 'hidden' => [ 'text', 'comment', 'user' ] ] ) ],
			$this->change( [ $first ], self::TEXT )
		);
		$this->assertSame(
			[ array_replace( $expected, [ 'revs' => [ $second ], 'hidden' => [] ] ) ],
			$this->change( [ $second ], 0, self::COMMENT | self::USER ),
			'shown again'
		);
	}

	public function testWhatExactlyIsSuppressedIsNotTold(): void {
		$first = $this->edit( 'first', 'the phone number of somebody' )->getId();
		$this->edit( 'second' );
		$this->published();
		$events = $this->change( [ $first ], self::COMMENT | self::SUPPRESS );
		$this->assertCount( 1, $events );
		$this->assertSame( [ $first ], $events[0]['revs'] );
		$this->assertSame( [ 'text', 'comment', 'user' ], $events[0]['hidden'] );
		foreach ( [ 'phone', 'private data', $this->sysop->getName(), $this->vandal->getName() ] as $secret ) {
			$this->assertNowhere( $secret, $events );
		}
	}

	public function testSuppressionIsNotInTheLogStream(): void {
		$first = $this->edit( 'first' )->getId();
		$this->edit( 'second' );
		$this->published();
		RequestContext::getMain()->setUser( $this->sysop );
		$list = RevisionDeleter::createList(
			'revision', RequestContext::getMain(), Title::newFromText( 'Shown page' ), [ $first ]
		);
		$list->setVisibility( [
			'value' => [ self::TEXT => 1, self::COMMENT => -1, self::USER => -1, self::SUPPRESS => 1 ],
			'comment' => 'private data',
		] );
		$messages = $this->published();
		$this->assertSame( [ 'visibility' ], array_column( array_column( $messages, 'msg' ), 'event' ) );
		$this->assertNowhere( 'private data', $messages );
	}

	public function testNameOfAHiddenUserIsInNoEventOfTheBlock(): void {
		$this->edit( 'first' );
		$this->published();
		$this->hide();
		$messages = $this->published();
		$this->assertNowhere( $this->vandal->getName(), $messages );
		$this->assertNowhere( 'abusive name', $messages );
	}

	public function testPagesTakeBackTheNameOfAHiddenUser(): void {
		$first = $this->edit( 'first' );
		$second = $this->edit( 'second' );
		$other = $this->edit( 'other', '', 'Other page' );
		$this->published();
		$this->hide();
		$messages = $this->published();
		$events = array_column( $messages, 'msg', 'type' );
		$this->assertCount( 2, $events );
		$page = $events[WebSocket::wikiID() . "@page/{$first->getPageId()}"];
		sort( $page['revs'] );
		$this->assertSame( [ $first->getId(), $second->getId() ], $page['revs'] );
		$this->assertContains( 'user', $page['hidden'] );
		$page = $events[WebSocket::wikiID() . "@page/{$other->getPageId()}"];
		$this->assertSame( [ 'Other_page', [ $other->getId() ] ], [ $page['title'], $page['revs'] ] );
	}

	public function testHistoryHasWhatIsHidden(): void {
		$wiki = WebSocket::wikiID();
		$first = $this->edit( 'first', 'the phone number of somebody' );
		$page = "$wiki@page/{$first->getPageId()}";
		$this->published();
		$this->assertSame( [], $this->forgotten, 'an edit hides nothing' );
		$this->change( [ $first->getId() ], self::COMMENT );
		$this->assertSame( [ $page, "$wiki@changes" ], $this->forgotten );
		$this->assertTrue( $this->forgottenFirst, 'before what happens now' );
		$this->change( [ $first->getId() ], 0, self::COMMENT );
		$this->assertSame( [], $this->forgotten, 'shown again' );

		$log = (int)$this->db->selectField( 'logging', 'MAX(log_id)', [], __METHOD__ );
		$special = Title::newFromText( 'Special:Log' );
		RevisionDeleter::createList( 'logging', RequestContext::getMain(), $special, [ $log ] )->setVisibility( [
			'value' => [ self::COMMENT => 1, self::USER => -1, self::TEXT => -1 ],
			'comment' => '',
		] );
		$this->published();
		$this->assertSame( [ "$wiki@page/*", "$wiki@changes" ], $this->forgotten, 'log entries' );

		$this->hide();
		$this->published();
		$this->assertSame( [ "$wiki@page/*", "$wiki@changes" ], $this->forgotten, 'a user' );

		foreach ( [ false, true ] as $suppresses ) {
			$revision = $this->edit( "again $suppresses" );
			$this->published();
			$this->getServiceContainer()->getDeletePageFactory()->newDeletePage( $this->page(), $this->sysop )
				->forceImmediate( true )->setSuppress( $suppresses )->deleteUnsafe( 'gone' );
			$this->published();
			$this->assertSame( [ "$wiki@page/{$revision->getPageId()}" ], $this->forgotten, 'a page' );
		}
	}

	public function testOrdinaryBlockHidesNothing(): void {
		$this->edit( 'first' );
		$this->published();
		$this->getServiceContainer()->getBlockUserFactory()
			->newBlockUser( $this->vandal, $this->sysop, 'infinity', 'vandalism' )->placeBlockUnsafe();
		$messages = $this->published();
		$this->assertSame( [ 'log' ], array_column( array_column( $messages, 'msg' ), 'type' ) );
		$this->assertSame( 'User:' . strtr( $this->vandal->getName(), ' ', '_' ), $messages[0]['msg']['title'] );
	}

	/** Blocked users may still edit their own talk page. */
	public function testNameOfAHiddenUserIsInNoLaterEvent(): void {
		$name = $this->vandal->getName();
		$this->edit( 'mine', '', "User talk:$name" );
		$this->hide();
		$this->published();
		// As in the next request.
		$this->vandal = User::newFromName( $name );
		$this->edit( 'mine again', '', "User talk:$name" );
		$this->edit( 'elsewhere' );
		$services = $this->getServiceContainer();
		$talk = Title::newFromText( "User talk:$name" );
		$services->getMovePageFactory()->newMovePage( $talk, Title::newFromText( "User talk:$name/old" ) )
			->move( $this->vandal, '', false );
		$cascade = false;
		$this->page()->doUpdateRestrictions(
			[ 'edit' => 'sysop' ], [ 'edit' => 'infinity' ], $cascade, '', $this->vandal
		);
		$page = $services->getWikiPageFactory()->newFromTitle( Title::newFromText( "User talk:$name/old" ) );
		$services->getDeletePageFactory()->newDeletePage( $page, $this->vandal )
			->forceImmediate( true )->deleteUnsafe( 'gone' );
		$undelete = $services->getWikiPageFactory()->newFromTitle( Title::newFromText( "User talk:$name/old" ) );
		$services->getUndeletePageFactory()->newUndeletePage( $undelete, $this->vandal )->undeleteUnsafe( 'back' );
		$messages = $this->published();
		$this->assertNowhere( $name, $messages );
		$events = array_column( array_column( $messages, 'msg' ), 'event' );
		foreach ( [ 'edit', 'create', 'move', 'delete', 'restore', 'log' ] as $event ) {
			$this->assertContains( $event, $events, 'readers still hear of it' );
		}
	}

	public function testSomebodyWhoseRevisionIsHiddenAtOnceIsNotNamed(): void {
		$this->edit( 'first' );
		$this->published();
		$scope = DeferredUpdates::preventOpportunisticUpdates();
		$revision = $this->edit( 'second', 'the phone number of somebody' );
		$this->db->update( 'revision', [ 'rev_deleted' => self::USER | self::COMMENT ],
			[ 'rev_id' => $revision->getId() ], __METHOD__ );
		\Wikimedia\ScopedCallback::consume( $scope );
		$changes = array_filter( $this->published(),
			static fn ( $message ) => $message['type'] === WebSocket::wikiID() . '@changes' );
		$this->assertSame( [], $changes );
	}

	public function testDeletedLogEntryIsSecret(): void {
		$this->edit( 'first' );
		$this->published();
		foreach ( [ \LogPage::DELETED_ACTION, \LogPage::DELETED_COMMENT, \LogPage::DELETED_USER ] as $bit ) {
			$entry = new ManualLogEntry( 'protect', 'protect' );
			$entry->setPerformer( $this->vandal );
			$entry->setTarget( Title::newFromText( 'Shown page' ) );
			$entry->setComment( 'the phone number of somebody' );
			$entry->setParameters( [ '4::description' => 'x', '5:bool:cascade' => false, 'details' => [] ] );
			$entry->setDeleted( $bit );
			$entry->publish( $entry->insert() );
			$this->assertSame( [], $this->published(), "bit $bit" );
			$entry->getRecentChange( 7 )->save( RecentChange::SEND_NONE );
			$this->assertSame( [], $this->published(), "bit $bit" );
		}
	}

	public function testEditAfterASuppressedOneTellsOnlyItsNumber(): void {
		$first = $this->edit( 'first', 'the phone number of somebody' );
		$this->edit( 'second' );
		$this->change( [ $first->getId() ], self::TEXT | self::COMMENT | self::USER | self::SUPPRESS );
		$this->vandal = $this->sysop;
		$this->edit( 'third' );
		$messages = $this->published();
		$this->assertCount( 2, $messages );
		$this->assertNowhere( 'phone', $messages );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use IDBAccessObject;
use ManualLogEntry;
use MediaWiki\Extension\WebSocket\HiddenNames;
use MediaWiki\Extension\WebSocket\RestrictedLogs;
use MediaWiki\Extension\WebSocket\SystemEvents;
use MediaWiki\Hook\PageMoveCompleteHook;
use MediaWiki\Linker\LinkTarget;
use MediaWiki\Page\Hook\ArticleUndeleteHook;
use MediaWiki\Page\Hook\PageDeleteCompleteHook;
use MediaWiki\Page\Hook\PageUndeleteHook;
use MediaWiki\Page\PageReference;
use MediaWiki\Page\ProperPageIdentity;
use MediaWiki\Permissions\Authority;
use MediaWiki\Revision\RevisionRecord;
use MediaWiki\Storage\Hook\PageSaveCompleteHook;
use MediaWiki\User\UserIdentity;
use StatusValue;
use Title;
use TitleFactory;
use TitleFormatter;

/**
 * Tells the readers of a page that it was created, edited, deleted, restored or moved.
 */
class PageEventHandler implements
	ArticleUndeleteHook,
	PageDeleteCompleteHook,
	PageMoveCompleteHook,
	PageSaveCompleteHook,
	PageUndeleteHook
{
	/** @var array<string,UserIdentity> Who is restoring, by prefixed title: MediaWiki 1.39 does not say it afterwards */
	private array $restorers = [];

	public function __construct(
		private readonly SystemEvents $events,
		private readonly RestrictedLogs $restrictedLogs,
		private readonly HiddenNames $hiddenNames,
		private readonly TitleFactory $titleFactory,
		private readonly TitleFormatter $titleFormatter
	) {
	}

	/** @inheritDoc */
	public function onPageSaveComplete( $wikiPage, $user, $summary, $flags, $revisionRecord, $editResult ) {
		// A save without a change makes no revision.
		if ( $editResult->isNullEdit() ) {
			return;
		}
		$this->events->publishPageEvent( $wikiPage->getId(), [
			'event' => $editResult->isNew() ? 'create' : 'edit',
			'title' => $this->publicText( $wikiPage->getTitle() ),
		] + $this->revision( $revisionRecord ) + [
			'user' => $this->hiddenNames->publicName( $revisionRecord->getUser( RevisionRecord::FOR_PUBLIC ) ),
			'time' => $this->time( $revisionRecord->getTimestamp() ),
			'minor' => $revisionRecord->isMinor(),
			'bot' => (bool)( $flags & EDIT_FORCE_BOT ),
			'comment' => $revisionRecord->getComment( RevisionRecord::FOR_PUBLIC )?->text,
		] );
	}

	/** @inheritDoc */
	public function onPageDeleteComplete(
		ProperPageIdentity $page,
		Authority $deleter,
		string $reason,
		int $pageID,
		RevisionRecord $deletedRev,
		ManualLogEntry $logEntry,
		int $archivedRevisionCount
	) {
		// Its history is for few to read now.
		$this->events->forgetPage( $pageID );
		// Who suppresses a page, and why, is for few to know.
		if ( !$this->restrictedLogs->isRestricted( $logEntry->getType() ) ) {
			$this->events->publishPageEvent( $pageID, [
				'event' => 'delete',
				'title' => $this->publicText( $page ),
				'user' => $this->hiddenNames->publicName( $deleter->getUser() ),
				'time' => $this->time( $logEntry->getTimestamp() ),
				'comment' => $reason,
			] );
		}
	}

	/** @inheritDoc */
	public function onPageMoveComplete( $old, $new, $user, $pageid, $redirid, $reason, $revision ) {
		$this->events->publishPageEvent( (int)$pageid, [
			'event' => 'move',
			'title' => $this->publicText( $old ),
			'target' => $this->publicText( $new ),
		] + $this->revision( $revision ) + [
			'user' => $this->hiddenNames->publicName( $user ),
			'time' => $this->time( $revision->getTimestamp() ),
			'comment' => $reason,
		] );
	}

	/**
	 * MediaWiki 1.40 and newer.
	 *
	 * @param ProperPageIdentity $page
	 * @param Authority $restorer
	 * @param string $reason
	 */
	public function onPageUndeleteComplete( ProperPageIdentity $page, Authority $restorer, string $reason ): void {
		$this->restored( $this->titleFactory->newFromPageIdentity( $page ), $restorer->getUser(), $reason );
	}

	/** @inheritDoc */
	public function onPageUndelete(
		ProperPageIdentity $page,
		Authority $performer,
		string $reason,
		bool $unsuppress,
		array $timestamps,
		array $fileVersions,
		StatusValue $status
	) {
		$this->restorers[$this->text( $page )] = $performer->getUser();
	}

	/** @inheritDoc */
	public function onArticleUndelete( $title, $create, $comment, $oldPageId, $restoredPages ) {
		$user = $this->restorers[$this->text( $title )] ?? null;
		unset( $this->restorers[$this->text( $title )] );
		// Newer versions run both hooks.
		if ( !interface_exists( 'MediaWiki\Page\Hook\PageUndeleteCompleteHook' ) ) {
			$this->restored( $title, $user, $comment );
		}
	}

	private function restored( Title $title, ?UserIdentity $user, string $reason ): void {
		$this->events->publishPageEvent( $title->getArticleID( IDBAccessObject::READ_LATEST ), [
			'event' => 'restore',
			'title' => $this->publicText( $title ),
			'rev' => $title->getLatestRevID( IDBAccessObject::READ_LATEST ) ?: null,
			'user' => $this->hiddenNames->publicName( $user ),
			'time' => $this->time( null ),
			'comment' => $reason,
		] );
	}

	/** @return array{rev:?int,parent:?int} */
	private function revision( RevisionRecord $revision ): array {
		return [ 'rev' => $revision->getId() ?: null, 'parent' => $revision->getParentId() ?: null ];
	}

	/**
	 * @param LinkTarget|PageReference $page
	 * @return string|null null: it is not for everybody
	 */
	private function publicText( $page ): ?string {
		return $this->hiddenNames->isInTitle( $page ) ? null : $this->text( $page );
	}

	/**
	 * @param LinkTarget|PageReference $page
	 * @return string
	 */
	private function text( $page ): string {
		return $this->titleFormatter->getPrefixedDBkey( $page );
	}

	/** @return string ISO 8601; of now, when $timestamp is null */
	private function time( ?string $timestamp ): string {
		return wfTimestamp( TS_ISO_8601, $timestamp ?? wfTimestampNow() );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use MediaWiki\Extension\WebSocket\HiddenNames;
use MediaWiki\Extension\WebSocket\SystemEvents;
use MediaWiki\Hook\ArticleRevisionVisibilitySetHook;
use MediaWiki\Hook\BlockIpCompleteHook;
use MediaWiki\Revision\RevisionRecord;
use MediaWiki\User\ActorNormalization;
use MediaWiki\User\UserIdentity;
use TitleFormatter;
use TitleValue;
use Wikimedia\Rdbms\ILBFactory;

/**
 * Tells the pages that show something of a revision that it has been hidden, so that they take it back.
 */
class VisibilityHandler implements ArticleRevisionVisibilitySetHook, BlockIpCompleteHook {
	private const FIELDS = [
		'text' => RevisionRecord::DELETED_TEXT,
		'comment' => RevisionRecord::DELETED_COMMENT,
		'user' => RevisionRecord::DELETED_USER,
	];

	/** How far back an open page may show what a user did who is hidden now, and how many of the revisions at most */
	private const RECENT_SECONDS = 2 * 86400;
	private const RECENT_REVISIONS = 500;

	public function __construct(
		private readonly SystemEvents $events,
		private readonly HiddenNames $hiddenNames,
		private readonly TitleFormatter $titleFormatter,
		private readonly ILBFactory $lbFactory,
		private readonly ActorNormalization $actors
	) {
	}

	/** @inheritDoc */
	public function onArticleRevisionVisibilitySet( $title, $ids, $visibilityChangeMap ) {
		$bits = 0;
		foreach ( $visibilityChangeMap as $change ) {
			$bits |= $change['newBits'];
		}
		// What exactly is suppressed is for few to know.
		$hidden = $bits & RevisionRecord::DELETED_RESTRICTED
			? self::FIELDS
			: array_filter( self::FIELDS, static fn ( $field ) => $bits & $field );
		if ( $hidden ) {
			$this->events->forgetPage( $title->getArticleID() );
			$this->events->forgetChanges();
		}
		$this->publish( $title->getArticleID(), $title, array_keys( $visibilityChangeMap ), array_keys( $hidden ) );
	}

	/**
	 * Hiding a user suppresses the name in all revisions, without the hook above.
	 *
	 * @inheritDoc
	 */
	public function onBlockIpComplete( $block, $user, $priorBlock ) {
		$target = $block->getTargetUserIdentity();
		if ( !$block->getHideName() || !$target || !$target->isRegistered() ) {
			return;
		}
		$this->events->forgetPage( null );
		$this->events->forgetChanges();
		$pages = [];
		foreach ( $this->recentRevisions( $target ) as $row ) {
			$pages[(int)$row->rc_cur_id]['title'] = new TitleValue( (int)$row->rc_namespace, $row->rc_title );
			$pages[(int)$row->rc_cur_id]['revs'][] = (int)$row->rc_this_oldid;
		}
		foreach ( $pages as $id => $page ) {
			$this->publish( $id, $page['title'], $page['revs'], array_keys( self::FIELDS ) );
		}
	}

	private function recentRevisions( UserIdentity $user ): iterable {
		$db = $this->lbFactory->getMainLB()->getConnection( DB_REPLICA );
		$actor = $this->actors->findActorId( $user, $db );
		return !$actor ? [] : $db->newSelectQueryBuilder()
			->select( [ 'rc_cur_id', 'rc_namespace', 'rc_title', 'rc_this_oldid' ] )
			->from( 'recentchanges' )
			->where( [
				'rc_actor' => $actor,
				'rc_timestamp >= ' . $db->addQuotes( $db->timestamp( time() - self::RECENT_SECONDS ) ),
				'rc_this_oldid != 0',
			] )
			->orderBy( 'rc_timestamp', 'DESC' )
			->limit( self::RECENT_REVISIONS )
			->caller( __METHOD__ )
			->fetchResultSet();
	}

	/**
	 * @param int $pageId
	 * @param TitleValue|\Title $title
	 * @param int[] $revs
	 * @param string[] $hidden
	 */
	private function publish( int $pageId, $title, array $revs, array $hidden ): void {
		$this->events->publishPageEvent( $pageId, [
			'event' => 'visibility',
			'title' => $this->hiddenNames->isInTitle( $title ) ? null
				: $this->titleFormatter->getPrefixedDBkey( $title ),
			'revs' => array_map( 'intval', $revs ),
			'hidden' => $hidden,
		] );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use IDBAccessObject;
use MediaWiki\Extension\WebSocket\HiddenNames;
use MediaWiki\Extension\WebSocket\RestrictedLogs;
use MediaWiki\Extension\WebSocket\SystemEvents;
use MediaWiki\Hook\RecentChange_saveHook;
use MediaWiki\Revision\RevisionLookup;
use RecentChange;
use TitleFormatter;

/**
 * Publishes the recent changes that everybody may see, and tells the readers of a page about the log entries on it.
 */
class RecentChangeHandler implements RecentChange_saveHook {
	/** Log entries that PageEventHandler publishes as events of their own: log type => actions, or true for all */
	private const OWN_EVENTS = [
		'delete' => [ 'delete', 'delete_redir', 'delete_redir2', 'restore' ],
		'move' => true,
	];

	public function __construct(
		private readonly SystemEvents $events,
		private readonly RestrictedLogs $restrictedLogs,
		private readonly HiddenNames $hiddenNames,
		private readonly RevisionLookup $revisions,
		private readonly TitleFormatter $titleFormatter
	) {
	}

	/**
	 * @param RecentChange $recentChange
	 */
	// phpcs:ignore MediaWiki.NamingConventions.LowerCamelFunctionsName.FunctionName
	public function onRecentChange_save( $recentChange ) {
		$get = [ $recentChange, 'getAttribute' ];
		$logType = (string)$get( 'rc_log_type' );
		if ( $get( 'rc_deleted' ) || ( $logType !== '' && $this->restrictedLogs->isRestricted( $logType ) ) ) {
			return;
		}
		$page = $recentChange->getPage();
		if ( ( $page && $this->hiddenNames->isInTitle( $page ) ) || $this->isHiddenAlready( $recentChange ) ) {
			return;
		}
		$title = $page ? $this->titleFormatter->getPrefixedDBkey( $page ) : null;
		$pageId = (int)$get( 'rc_cur_id' );
		$logAction = (string)$get( 'rc_log_action' );
		if ( $logType === 'delete' && $logAction === 'event' ) {
			// Something of log entries has been hidden; of which, and of what pages they tell, is not said here.
			$this->events->forgetPage( null );
			$this->events->forgetChanges();
		}
		$common = [
			'user' => $this->hiddenNames->publicName( $recentChange->getPerformerIdentity() ),
			'time' => wfTimestamp( TS_ISO_8601, $get( 'rc_timestamp' ) ),
			'bot' => (bool)$get( 'rc_bot' ),
			'comment' => (string)$get( 'rc_comment' ),
			'rev' => (int)$get( 'rc_this_oldid' ) ?: null,
			'parent' => (int)$get( 'rc_last_oldid' ) ?: null,
			'logType' => $logType,
			'logAction' => $logAction,
		];
		$this->events->publishChange( [
			'type' => RecentChange::parseFromRCType( (int)$get( 'rc_type' ) ),
			'id' => (int)$get( 'rc_id' ),
			'title' => $title,
			'namespace' => (int)$get( 'rc_namespace' ),
			'page' => $pageId ?: null,
			'minor' => (bool)$get( 'rc_minor' ),
			'oldLength' => $get( 'rc_old_len' ),
			'newLength' => $get( 'rc_new_len' ),
		] + $common );
		if ( $logType !== '' && !$this->hasOwnEvent( $logType, $logAction ) ) {
			$this->events->publishPageEvent( $pageId, [ 'event' => 'log', 'title' => $title ] + $common );
		}
	}

	/** @return bool Whether it is an edit of which something has been hidden or deleted since it was saved */
	private function isHiddenAlready( RecentChange $recentChange ): bool {
		if ( !in_array( (int)$recentChange->getAttribute( 'rc_type' ), [ RC_EDIT, RC_NEW ], true ) ) {
			return false;
		}
		$id = (int)$recentChange->getAttribute( 'rc_this_oldid' );
		$revision = $this->revisions->getRevisionById( $id, IDBAccessObject::READ_LATEST );
		return $revision === null || $revision->getVisibility() !== 0;
	}

	private function hasOwnEvent( string $logType, string $logAction ): bool {
		$actions = self::OWN_EVENTS[$logType] ?? [];
		return $actions === true || in_array( $logAction, $actions, true );
	}
}

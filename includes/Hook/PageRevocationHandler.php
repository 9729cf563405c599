<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use ManualLogEntry;
use MediaWiki\Extension\WebSocket\Revocation\Revoker;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Hook\PageMoveCompleteHook;
use MediaWiki\Page\Hook\ArticleProtectCompleteHook;
use MediaWiki\Page\Hook\PageDeleteCompleteHook;
use MediaWiki\Page\ProperPageIdentity;
use MediaWiki\Permissions\Authority;
use MediaWiki\Revision\RevisionRecord;

/**
 * Revokes the subscription tokens for a page's types when others may be able to read the page than before.
 */
class PageRevocationHandler implements
	ArticleProtectCompleteHook,
	PageDeleteCompleteHook,
	PageMoveCompleteHook
{
	public function __construct(
		private readonly Revoker $revoker,
		private readonly TypeRegistry $types
	) {
	}

	/** @inheritDoc */
	public function onArticleProtectComplete( $wikiPage, $user, $protect, $reason ) {
		$this->revoke( $wikiPage->getId() );
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
		$this->revoke( $pageID );
	}

	/** @inheritDoc */
	public function onPageMoveComplete( $old, $new, $user, $pageid, $redirid, $reason, $revision ) {
		// Namespaces may differ in who reads them.
		$this->revoke( (int)$pageid );
	}

	private function revoke( int $pageId ): void {
		foreach ( $this->types->typesOfPage( $pageId ) as $type ) {
			$this->revoker->revokeType( $type );
		}
	}
}

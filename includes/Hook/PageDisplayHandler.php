<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use MediaWiki\Extension\WebSocket\ClientConfig;
use MediaWiki\Extension\WebSocket\Relay\RelayManager;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Hook\BeforePageDisplayHook;
use OutputPage;

/**
 * Gives every page the client, and the bar to those that show the current state of a wiki page.
 */
class PageDisplayHandler implements BeforePageDisplayHook {
	public function __construct(
		private readonly ClientConfig $clientConfig,
		private readonly RelayManager $relayManager,
		private readonly Settings $settings,
		private readonly TroubleLog $log
	) {
	}

	/** @inheritDoc */
	public function onBeforePageDisplay( $out, $skin ): void {
		$this->relayManager->schedule();
		$problem = $this->clientConfig->getProblem();
		if ( $problem !== null ) {
			$this->log->error( 'Pages do not connect: {problem}', $problem );
			return;
		}
		$out->addJsConfigVars( $this->clientConfig->getVars( $out->getUser()->isRegistered() ) );
		$out->addModules( 'ext.websocket' );
		if ( $this->settings->pageBar && $this->showsCurrentPage( $out ) ) {
			$out->addModules( 'ext.websocket.live' );
		}
	}

	private function showsCurrentPage( OutputPage $out ): bool {
		$title = $out->getTitle();
		return $title !== null && $title->exists()
			&& $out->isArticle()
			&& !$out->isPrintable()
			&& $out->getActionName() === 'view'
			&& $out->getRevisionId() !== null
			&& $out->isRevisionCurrent()
			&& $out->getRequest()->getRawVal( 'diff' ) === null;
	}
}

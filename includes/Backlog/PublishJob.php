<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Backlog;

use GenericParameterJob;
use Job;
use MediaWiki\MediaWikiServices;

/**
 * Takes what waits in the backlog to the relay.
 */
class PublishJob extends Job implements GenericParameterJob {
	/**
	 * @param array $params Nothing of its own: one such job is as good as another
	 */
	public function __construct( array $params ) {
		parent::__construct( Backlog::JOB, $params );
		$this->removeDuplicates = true;
	}

	/** @inheritDoc */
	public function run() {
		// MediaWiki 1.39 makes jobs without services.
		/** @var Backlog $backlog */
		$backlog = MediaWikiServices::getInstance()->getService( 'WebSocket.Backlog' );
		// After a page view somebody may be waiting for the next answer of this process.
		$backlog->run( MW_ENTRY_POINT === 'cli' ? Backlog::RUN_SECONDS : Backlog::VIEW_SECONDS );
		// It has queued the next one itself: the queue's own way to repeat jobs may take an hour, and gives up.
		return true;
	}
}

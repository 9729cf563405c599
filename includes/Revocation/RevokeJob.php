<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Revocation;

use GenericParameterJob;
use Job;
use MediaWiki\MediaWikiServices;

/**
 * Repeats what the relay could not be told.
 */
class RevokeJob extends Job implements GenericParameterJob {
	/**
	 * @param array $params targets: array of [ kind, name ]; before: Unix time of the event
	 */
	public function __construct( array $params ) {
		parent::__construct( Revoker::JOB, $params );
		$this->removeDuplicates = true;
	}

	/** @inheritDoc */
	public function run() {
		// MediaWiki 1.39 makes jobs without services.
		/** @var Revoker $revoker */
		$revoker = MediaWikiServices::getInstance()->getService( 'WebSocket.Revoker' );
		$revoker->repeat( $this->params['targets'], $this->params['before'] );
		// It has queued what is left itself: the queue's own way to repeat jobs may take an hour.
		return true;
	}
}

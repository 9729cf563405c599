<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use DeferrableUpdate;
use MergeableUpdate;
use TransactionRoundAwareUpdate;

/**
 * Flushes the publisher after the response. Being mergeable it goes to the end of the queue each time another message
 * is added, and never into the sub-queue of the update that added it: an edit and its entry in the recent changes,
 * which come from two updates, leave in one.
 */
class PublishUpdate implements DeferrableUpdate, MergeableUpdate, TransactionRoundAwareUpdate {
	public function __construct( private readonly Publisher $publisher ) {
	}

	/** @inheritDoc */
	public function doUpdate() {
		$this->publisher->flush();
	}

	/** @inheritDoc */
	public function merge( MergeableUpdate $update ) {
		// All of them flush the same publisher.
	}

	/** @inheritDoc */
	public function getTransactionRoundRequirement() {
		return self::TRX_ROUND_ABSENT;
	}
}

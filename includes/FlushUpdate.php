<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use DeferrableUpdate;
use MergeableUpdate;
use TransactionRoundAwareUpdate;

/**
 * Flushes, after the response, what a request has collected for the relay. Being mergeable it goes to the end of the
 * queue each time something is added, and never into the sub-queue of the update that added it: an edit and its entry
 * in the recent changes, which come from two updates, leave in one. MediaWiki merges updates of one class, so each
 * collector has a class of its own.
 */
abstract class FlushUpdate implements DeferrableUpdate, MergeableUpdate, TransactionRoundAwareUpdate {
	/** @inheritDoc */
	public function merge( MergeableUpdate $update ) {
		// All of them flush the same collector.
	}

	/** @inheritDoc */
	public function getTransactionRoundRequirement() {
		return self::TRX_ROUND_ABSENT;
	}
}

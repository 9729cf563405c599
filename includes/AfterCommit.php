<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use Wikimedia\Rdbms\ILBFactory;

/**
 * Runs what counts only once the database has committed, and never if it does not; and waits until everybody sees it.
 */
class AfterCommit {
	public function __construct( private readonly ILBFactory $lbFactory ) {
	}

	/**
	 * Without uncommitted writes there is nothing that could be rolled back, and no reason to open a connection to
	 * the primary database for a mere message.
	 *
	 * @param callable():void $callback Runs now, or once the current transaction has committed
	 */
	public function run( callable $callback ): void {
		$lb = $this->lbFactory->getMainLB();
		if ( $this->lbFactory->hasTransactionRound() || $lb->explicitTrxActive() || $lb->hasPrimaryChanges() ) {
			$lb->getConnection( DB_PRIMARY )->onTransactionCommitOrIdle( $callback, __METHOD__ );
		} else {
			$callback();
		}
	}

	/**
	 * Wait until the replicas have what this process has written. Where there are none it costs nothing.
	 *
	 * @param int $seconds At most
	 * @return bool Whether they have
	 */
	public function waitForReplication( int $seconds ): bool {
		return $this->lbFactory->waitForReplication( [ 'timeout' => $seconds ] );
	}
}

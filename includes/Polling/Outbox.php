<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Polling;

use Closure;
use MediaWiki\Extension\WebSocket\Envelope;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use stdClass;
use Throwable;
use Wikimedia\Rdbms\DBQueryError;
use Wikimedia\Rdbms\IDatabase;
use Wikimedia\Rdbms\ILBFactory;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * Messages for pages that poll: the table websocket_outbox.
 *
 * A message's id is its offset. Ids come in the order of the inserts, but may be seen in another one: who gets 11 may
 * find 10 a moment later. So a page goes on from an offset that has been settled for SETTLED_SECONDS, and gets what is
 * newer again.
 *
 * The newest message is never deleted, so that offsets are not given out anew, and what is gone can be told.
 */
class Outbox {
	public const TABLE = 'websocket_outbox';

	/** Seconds for which every message is kept; longer if the history of its type is */
	public const KEPT_SECONDS = 3600;

	/** Messages that are kept, whatever their age; the oldest give way */
	public const MAX_ROWS = 20000;

	/** Messages that a poll brings, and bytes of them after which there are no more */
	public const MAX_MESSAGES = 100;
	private const MAX_BYTES = 4 << 20;

	/** Seconds after which no insert of before can still become visible */
	public const SETTLED_SECONDS = 5;

	/** One insert of so many, on average, also deletes what is old, so many messages at most */
	private const PRUNE_CHANCE = 50;
	private const PRUNE_ROWS = 1000;

	public function __construct(
		private readonly ILBFactory $lbFactory,
		private readonly TypeRegistry $types,
		private readonly ClientIds $clientIds,
		private readonly TroubleLog $troubleLog
	) {
	}

	/**
	 * @param Envelope[] $envelopes From the wiki
	 */
	public function add( array $envelopes ): void {
		$problem = null;
		foreach ( $envelopes as $envelope ) {
			try {
				$this->addOne( $envelope );
			} catch ( Throwable $e ) {
				// One that the database does not take, because of its size maybe, does not cost the others.
				$problem ??= $e;
			}
		}
		if ( $problem ) {
			throw $problem;
		}
	}

	private function addOne( Envelope $envelope ): void {
		if ( $envelope->forgets ) {
			$this->inTransaction( fn ( IDatabase $dbw ) => $this->forget( $dbw, $envelope->type ) );
			return;
		}
		$isOwn = $envelope->from === null || $envelope->actor === null
			|| $this->clientIds->claim( $envelope->from, $envelope->actor );
		$this->insert( $envelope, [ 'wiki' => true ], $isOwn ? $envelope->from : null );
	}

	/**
	 * @param Envelope $envelope From a visitor
	 * @param string $user Name; '' without an account
	 */
	public function addOf( Envelope $envelope, string $user ): void {
		$this->insert( $envelope, $user === '' ? [] : [ 'user' => $user ], $envelope->from );
	}

	private function insert( Envelope $envelope, array $sender, ?string $from ): void {
		$flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR;
		$rest = array_filter( [ 'from' => $from, 'to' => $envelope->to ] ) + $sender;
		$frame = '{"type":' . json_encode( $envelope->type, $flags ) . ",\"msg\":$envelope->msg"
			. ( $rest ? ',' . substr( json_encode( $rest, $flags ), 1 ) : '}' );
		$now = ConvertibleTimestamp::time();
		$kept = max( self::KEPT_SECONDS, $this->types->historySeconds( $envelope->type ) );
		$this->inTransaction( function ( IDatabase $dbw ) use ( $envelope, $from, $frame, $now, $kept ) {
			$dbw->insert( self::TABLE, [
				'wo_type' => $envelope->type,
				'wo_timestamp' => $dbw->timestamp( $now ),
				'wo_expiry' => $dbw->timestamp( $now + $kept ),
				'wo_from' => (string)$from,
				'wo_to' => $envelope->to ? implode( ',', $envelope->to ) : null,
				'wo_frame' => $frame,
			], __METHOD__ );
			if ( mt_rand( 1, self::PRUNE_CHANCE ) === 1 ) {
				$this->prune();
			}
		} );
	}

	/**
	 * Change the table. Where nobody has begun anything that is not finished, that is committed at once: at the end of
	 * a process nobody else does. What others have begun is theirs to commit, and this with it.
	 *
	 * @param Closure(IDatabase):void $change
	 */
	private function inTransaction( Closure $change ): void {
		$dbw = $this->lbFactory->getMainLB()->getConnection( DB_PRIMARY );
		$isOwn = !$this->lbFactory->hasTransactionRound() && !$dbw->explicitTrxActive()
			&& !$this->lbFactory->hasPrimaryChanges();
		try {
			$change( $dbw );
			if ( $isOwn ) {
				$this->lbFactory->commitPrimaryChanges( __METHOD__ );
			}
		} catch ( DBQueryError $e ) {
			if ( $isOwn ) {
				$this->lbFactory->rollbackPrimaryChanges( __METHOD__ );
			}
			$this->troubleLog->error( 'Pages that poll are not told anything: {problem}', 'the database says "'
				. mb_strcut( $e->error ?? $e->getMessage(), 0, 200 ) . '"; run maintenance/update.php, which makes the '
				. 'table ' . self::TABLE );
			throw $e;
		}
	}

	/**
	 * Nobody gets the messages any more that are there. Their rows stay, so that pages can be told that something is
	 * gone.
	 *
	 * @param IDatabase $dbw
	 * @param string $type See Envelope::$forgets
	 */
	private function forget( IDatabase $dbw, string $type ): void {
		$isType = str_ends_with( $type, '*' )
			? 'wo_type' . $dbw->buildLike( substr( $type, 0, -1 ), $dbw->anyString() )
			: [ 'wo_type' => $type ];
		do {
			$ids = $dbw->selectFieldValues(
				self::TABLE,
				'wo_id',
				[ ...(array)$isType, "wo_frame != ''" ],
				__METHOD__,
				[ 'LIMIT' => self::PRUNE_ROWS ]
			);
			if ( $ids ) {
				$dbw->update( self::TABLE, [ 'wo_frame' => '' ], [ 'wo_id' => $ids ], __METHOD__ );
			}
		} while ( count( $ids ) === self::PRUNE_ROWS );
	}

	/**
	 * Delete what is old.
	 */
	public function prune(): void {
		$dbw = $this->lbFactory->getMainLB()->getConnection( DB_PRIMARY );
		$newest = (int)$dbw->selectField( self::TABLE, 'MAX(wo_id)', [], __METHOD__ );
		$now = $dbw->addQuotes( $dbw->timestamp( ConvertibleTimestamp::time() ) );
		$cases = [
			[ "wo_expiry < $now", "wo_id < $newest" ],
			[ 'wo_id <= ' . ( $newest - self::MAX_ROWS ) ],
		];
		foreach ( $cases as $conditions ) {
			$ids = $dbw->selectFieldValues(
				self::TABLE, 'wo_id', $conditions, __METHOD__, [ 'LIMIT' => self::PRUNE_ROWS ]
			);
			if ( $ids ) {
				$dbw->delete( self::TABLE, [ 'wo_id' => $ids ], __METHOD__ );
			}
		}
	}

	/**
	 * @param array<string,Since> $wanted By type; the caller has checked that they may be read
	 * @param string $client Client id of the page; '': messages with recipients are not for it
	 * @param string $user Name of who polls; '' without an account
	 * @return News
	 */
	public function read( array $wanted, string $client, string $user ): News {
		$db = $this->lbFactory->getMainLB()->getConnection( DB_REPLICA );
		$now = ConvertibleTimestamp::time();
		$fields = [ 'wo_id', 'wo_timestamp' ];
		$oldest = $db->selectRow( self::TABLE, $fields, [], __METHOD__, [ 'ORDER BY' => 'wo_id' ] ) ?: null;
		$newest = (int)$db->selectField( self::TABLE, 'MAX(wo_id)', [], __METHOD__ );
		$known = $this->newestKnown( $wanted, $newest );
		$missed = [];
		$offsets = [];
		$times = [];
		foreach ( $wanted as $type => $since ) {
			$type = (string)$type;
			$offsets[$type] = $newest;
			if ( (int)$since->offset > $known || !$this->isKept( $type, $since, $oldest, $newest ) ) {
				$missed[] = $type;
			} elseif ( $since->offset !== null ) {
				$offsets[$type] = $since->offset;
			} elseif ( $since->time !== null ) {
				$times[$type] = $since->time;
			}
		}
		if ( $times ) {
			// One question for all of them.
			$offsets = array_fill_keys( array_keys( $times ), $this->offsetBefore( $db, min( $times ) ) ) + $offsets;
		}
		// A replica that is behind shows late what is late.
		$settledTime = $now - self::SETTLED_SECONDS - (int)ceil( (float)$db->getSessionLagStatus()['lag'] );
		$settled = $this->offsetBefore( $db, $settledTime );
		$rows = $this->rows( $db, $offsets );
		$there = [];
		foreach ( $rows as $row ) {
			if ( (int)$row->wo_id <= $offsets[$row->wo_type]
				|| $this->time( $row->wo_timestamp ) < ( $times[$row->wo_type] ?? 0 ) ) {
				continue;
			}
			// What was forgotten, or should have been deleted, is not there for anybody.
			if ( (int)$row->bytes === 0 || $this->time( $row->wo_expiry ) < $now ) {
				$missed[] = (string)$row->wo_type;
			} else {
				$there[] = $row;
			}
		}
		[ $messages, $cutOff ] = $this->messages( $db, $there, $client, $user );
		$cutOff ??= count( $rows ) === self::MAX_MESSAGES ? end( $rows ) : null;
		$isCut = $cutOff !== null && (int)$cutOff->wo_id < $settled;
		return new News(
			$messages,
			array_values( array_unique( $missed ) ),
			$isCut ? (int)$cutOff->wo_id : $settled,
			$isCut ? $this->time( $cutOff->wo_timestamp ) : $settledTime,
			$newest,
			$isCut
		);
	}

	/** @return int Unix time */
	private function time( string $timestamp ): int {
		return (int)wfTimestamp( TS_UNIX, $timestamp );
	}

	/**
	 * @param array<string,Since> $wanted By type
	 * @param int $newest Offset of the newest message that the replica knows
	 * @return int The same of the primary, if a page knows of a newer one: the table may be another one
	 */
	private function newestKnown( array $wanted, int $newest ): int {
		if ( !array_filter( $wanted, static fn ( Since $since ): bool => (int)$since->offset > $newest ) ) {
			return $newest;
		}
		$dbw = $this->lbFactory->getMainLB()->getConnection( DB_PRIMARY );
		return (int)$dbw->selectField( self::TABLE, 'MAX(wo_id)', [], __METHOD__ );
	}

	/**
	 * @param string $type
	 * @param Since $since
	 * @param stdClass|null $oldest Row; null: there is none
	 * @param int $newest Offset
	 * @return bool Whether all messages of the type since then are still there, as far as can be told
	 */
	private function isKept( string $type, Since $since, ?stdClass $oldest, int $newest ): bool {
		$kept = max( self::KEPT_SECONDS, $this->types->historySeconds( $type ) );
		$isRecent = $since->time !== null && $since->time >= ConvertibleTimestamp::time() - $kept;
		if ( $since->offset === null ) {
			// Before the oldest message of all there may have been others.
			return $since->time === null || ( $isRecent && $oldest !== null
				&& $this->time( $oldest->wo_timestamp ) <= $since->time );
		}
		return $since->offset >= $newest - self::MAX_ROWS
			&& ( $isRecent || $since->offset + 1 >= ( $oldest ? (int)$oldest->wo_id : 1 ) );
	}

	/**
	 * @param IDatabase $db
	 * @param int $time Unix time
	 * @return int Offset after which everything of that time and later begins, and maybe a little more
	 */
	private function offsetBefore( IDatabase $db, int $time ): int {
		return (int)$db->selectField(
			self::TABLE,
			'wo_id',
			[ 'wo_timestamp < ' . $db->addQuotes( $db->timestamp( $time ) ) ],
			__METHOD__,
			[ 'ORDER BY' => [ 'wo_timestamp DESC', 'wo_id DESC' ] ]
		);
	}

	/**
	 * @param IDatabase $db
	 * @param array<string,int> $offsets By type
	 * @return stdClass[] By offset, MAX_MESSAGES at most, without the messages themselves: these may be large
	 */
	private function rows( IDatabase $db, array $offsets ): array {
		return !$offsets ? [] : iterator_to_array( $db->newSelectQueryBuilder()
			->select( [ 'wo_id', 'wo_type', 'wo_timestamp', 'wo_expiry', 'wo_from', 'wo_to' ] )
			->select( [ 'bytes' => 'LENGTH(wo_frame)' ] )
			->from( self::TABLE )
			->where( [
				'wo_type' => array_map( 'strval', array_keys( $offsets ) ),
				'wo_id > ' . min( $offsets ),
			] )
			->orderBy( 'wo_id' )
			->limit( self::MAX_MESSAGES )
			->caller( __METHOD__ )
			->fetchResultSet(), false );
	}

	/**
	 * @param IDatabase $db
	 * @param stdClass[] $rows
	 * @param string $client
	 * @param string $user
	 * @return array{array[],?stdClass} Messages for that page, and the last row that there was room for, if they are
	 *   too many
	 */
	private function messages( IDatabase $db, array $rows, string $client, string $user ): array {
		$isOwner = null;
		$ids = [];
		$bytes = 0;
		$full = null;
		foreach ( $rows as $row ) {
			// The rules of a relay: nobody gets the own message, and one with recipients is for these only.
			$isOwn = $client !== '' && $row->wo_from === $client;
			$to = explode( ',', (string)$row->wo_to );
			$isFor = $to === [ '' ] || ( in_array( $client, $to, true )
				&& ( $isOwner ??= $this->clientIds->isFor( $client, $user ) ) );
			if ( $isOwn || !$isFor ) {
				continue;
			}
			$ids[] = (int)$row->wo_id;
			$bytes += (int)$row->bytes;
			if ( $bytes > self::MAX_BYTES ) {
				$full = $row;
				break;
			}
		}
		$messages = [];
		foreach ( $ids ? $db->newSelectQueryBuilder()
			->select( [ 'wo_id', 'wo_frame' ] )
			->from( self::TABLE )
			->where( [ 'wo_id' => $ids ] )
			->orderBy( 'wo_id' )
			->caller( __METHOD__ )
			->fetchResultSet() : [] as $row ) {
			// It may have been forgotten just now.
			if ( $row->wo_frame !== '' ) {
				$messages[] = [ 'offset' => (int)$row->wo_id, 'data' => $row->wo_frame ];
			}
		}
		return [ $messages, $full ];
	}
}

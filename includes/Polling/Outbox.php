<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Polling;

use MediaWiki\Extension\WebSocket\Envelope;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use stdClass;
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
		foreach ( $envelopes as $envelope ) {
			$isOwn = $envelope->from === null || $envelope->actor === null
				|| $this->clientIds->claim( $envelope->from, $envelope->actor );
			$this->insert( $envelope, [ 'wiki' => true ], $isOwn ? $envelope->from : null );
		}
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
		$dbw = $this->lbFactory->getMainLB()->getConnection( DB_PRIMARY );
		try {
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
			if ( !$this->lbFactory->hasTransactionRound() && !$dbw->explicitTrxActive() ) {
				// At the end of a process nobody else does.
				$this->lbFactory->commitPrimaryChanges( __METHOD__ );
			}
		} catch ( DBQueryError $e ) {
			$this->troubleLog->error( 'Pages that poll are not told anything: {problem}', 'the database says "'
				. mb_strcut( $e->error ?? $e->getMessage(), 0, 200 ) . '"; run maintenance/update.php, which makes the '
				. 'table ' . self::TABLE );
			throw $e;
		}
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
		$missed = [];
		$offsets = [];
		foreach ( $wanted as $type => $since ) {
			$type = (string)$type;
			$offsets[$type] = $newest;
			if ( !$this->isKept( $type, $since, $oldest, $newest ) ) {
				$missed[] = $type;
			} elseif ( $since->offset !== null ) {
				$offsets[$type] = $since->offset;
			} elseif ( $since->time !== null ) {
				$offsets[$type] = $this->offsetBefore( $db, $since->time );
			}
		}
		$settled = $this->offsetBefore( $db, $now - self::SETTLED_SECONDS );
		[ $messages, $cutOff ] = $this->messages( $this->rows( $db, $offsets ), $offsets, $client, $user );
		$isCut = $cutOff !== null && (int)$cutOff->wo_id < $settled;
		return new News(
			$messages,
			$missed,
			$isCut ? (int)$cutOff->wo_id : $settled,
			$isCut ? (int)wfTimestamp( TS_UNIX, $cutOff->wo_timestamp ) : $now - self::SETTLED_SECONDS,
			$newest,
			$isCut
		);
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
				&& (int)wfTimestamp( TS_UNIX, $oldest->wo_timestamp ) <= $since->time );
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
	 * @return stdClass[] By offset, MAX_MESSAGES at most
	 */
	private function rows( IDatabase $db, array $offsets ): array {
		return !$offsets ? [] : iterator_to_array( $db->newSelectQueryBuilder()
			->select( [ 'wo_id', 'wo_type', 'wo_timestamp', 'wo_from', 'wo_to', 'wo_frame' ] )
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
	 * @param stdClass[] $rows
	 * @param array<string,int> $offsets By type
	 * @param string $client
	 * @param string $user
	 * @return array{array[],?stdClass} Messages for that page, and the last row, if there may be more behind it
	 */
	private function messages( array $rows, array $offsets, string $client, string $user ): array {
		$messages = [];
		$bytes = 0;
		foreach ( $rows as $row ) {
			if ( (int)$row->wo_id > $offsets[$row->wo_type] && $this->isFor( $row, $client, $user ) ) {
				$messages[] = [ 'offset' => (int)$row->wo_id, 'data' => $row->wo_frame ];
				$bytes += strlen( $row->wo_frame );
				if ( $bytes > self::MAX_BYTES ) {
					return [ $messages, $row ];
				}
			}
		}
		return [ $messages, count( $rows ) === self::MAX_MESSAGES ? end( $rows ) : null ];
	}

	/** The rules of a relay: nobody gets the own message, and one with recipients is for these only. */
	private function isFor( stdClass $row, string $client, string $user ): bool {
		$to = (string)$row->wo_to;
		return ( $client === '' || $row->wo_from !== $client )
			&& ( $to === '' || ( in_array( $client, explode( ',', $to ), true )
				&& $this->clientIds->isFor( $client, $user ) ) );
	}
}

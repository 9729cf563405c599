<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Backlog;

use BagOStuff;
use EmptyBagOStuff;
use JobQueueGroup;
use MediaWiki\Extension\WebSocket\Relay\Delivery;
use MediaWiki\Extension\WebSocket\TroubleLog;
use Psr\Log\LoggerInterface;
use Throwable;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * Messages that the relay has not taken yet, in order, until a job takes them there, or a request that finds the relay.
 *
 * They are in $wgMainStash, in numbered chunks, and an index says which numbers wait. The job holds nothing: any of
 * them takes the oldest, so that neither the order in which a job queue runs its jobs nor a job that gets lost matters.
 * Each message has a key, so that one which arrived although nobody was told is not delivered twice.
 *
 * When a process ends between entering a chunk into the index and writing it, that chunk is waited for a short while
 * and then passed over. When the stash loses the index, what waited is lost, and what comes after goes on by itself.
 */
class Backlog {
	/** Name of the job */
	public const JOB = 'webSocketPublish';

	/** Seconds for which a message waits */
	public const LIFE_SECONDS = 86400;

	/** Chunks that wait, at most; the oldest give way. Each is at least the messages of one request. */
	public const MAX_CHUNKS = 5000;

	/** Bytes of a chunk, unless a single message is larger: caches do not take everything */
	private const CHUNK_BYTES = 256 * 1024;

	/** Chunks read at once and taken to the relay in as few requests as they fit into, by a job and by a request */
	private const READ_CHUNKS = 50;
	private const REQUEST_CHUNKS = 5;

	/**
	 * Seconds after which a job begins nothing more; the next one goes on. The same where jobs run at the end of page
	 * views, and for a request that has found the relay
	 */
	public const RUN_SECONDS = 20;
	public const VIEW_SECONDS = 2;
	private const REQUEST_SECONDS = 0.5;

	/** Seconds after which the right to take chunks away is free again, when its owner has died */
	private const LOCK_SECONDS = 120;

	/** Seconds for which a chunk that is not there may just be being written */
	private const HOLE_SECONDS = 5;

	/** Seconds until the job comes again, where the job queue knows delays: doubled each time, up to the second */
	private const RETRY_SECONDS = 5;
	private const MAX_RETRY_SECONDS = 60;

	public function __construct(
		private readonly BagOStuff $stash,
		private readonly JobQueueGroup $jobs,
		private readonly Delivery $delivery,
		private readonly LoggerInterface $logger,
		private readonly TroubleLog $troubleLog
	) {
	}

	/**
	 * @return bool Whether there is something that later messages have to stay behind
	 */
	public function isWaiting(): bool {
		$index = $this->index();
		return $index['first'] < $index['next'];
	}

	/**
	 * Keep messages until the relay takes them.
	 *
	 * @param string[] $envelopes The JSON of each
	 * @return bool false: not all of them could be kept, and the log says why
	 */
	public function add( array $envelopes ): bool {
		try {
			if ( $this->stash instanceof EmptyBagOStuff ) {
				$this->logger->error( 'Messages got lost that should wait for the relay: set $wgMainStash to a cache '
					. 'that keeps what it is given' );
				return false;
			}
			$isKept = true;
			foreach ( $this->chunks( $envelopes ) as $chunk ) {
				// One that is too large for the stash does not cost the others.
				$isKept = $this->append( $chunk ) && $isKept;
			}
			if ( !$isKept ) {
				$this->logger->error( 'Messages got lost that should wait for the relay: $wgMainStash did not take '
					. 'them' );
			}
			$this->schedule( self::RETRY_SECONDS );
			return $isKept;
		} catch ( Throwable $e ) {
			$this->logger->error( 'Messages may have got lost that should wait for the relay: {exception}', [
				'exception' => $e
			] );
			return false;
		}
	}

	/**
	 * What the job does: take what waits to the relay, and come again when something is left.
	 *
	 * @param float $seconds After so many it begins nothing more
	 */
	public function run( float $seconds = self::RUN_SECONDS ): void {
		$isDone = false;
		try {
			$lock = $this->stash->getScopedLock( $this->key( 'lock' ), 0, self::LOCK_SECONDS );
			$isDone = $lock !== null && $this->drain( $seconds, self::READ_CHUNKS, true );
		} finally {
			// Before the next job, which may run at once.
			unset( $lock );
			if ( !$isDone ) {
				$delay = self::RETRY_SECONDS << min( $this->index()['tries'], 8 );
				$this->schedule( min( $delay, self::MAX_RETRY_SECONDS ) );
			}
		}
	}

	/**
	 * Take what waits to the relay now, instead of when jobs run: for a request that has reason to think that it is
	 * there. It takes no more time than messages of its own would. What is left waits for the job, as before.
	 */
	public function runNow(): void {
		$lock = $this->stash->getScopedLock( $this->key( 'lock' ), 0, self::LOCK_SECONDS );
		if ( $lock !== null ) {
			$this->drain( self::REQUEST_SECONDS, self::REQUEST_CHUNKS, false );
		}
	}

	/**
	 * @param float $seconds After so many it begins nothing more
	 * @param int $most Chunks taken at once
	 * @param bool $insists See RelayClient::insist()
	 * @return bool Whether nothing is left
	 */
	private function drain( float $seconds, int $most, bool $insists ): bool {
		$deadline = hrtime( true ) + $seconds * 1e9;
		$sent = 0;
		do {
			$index = $this->index();
			$count = min( $index['next'] - $index['first'], $most );
			if ( $count <= 0 ) {
				if ( $sent ) {
					$this->logger->info( '{count} messages that waited for the relay are there', [ 'count' => $sent ] );
				}
				return true;
			}
			$chunks = $this->oldest( $index, $count );
			if ( !$chunks ) {
				return false;
			}
			$envelopes = array_merge( ...$chunks );
			$left = $this->delivery->deliver( $envelopes, $insists );
			$sent += count( $envelopes ) - count( $left );
			if ( $left ) {
				$this->keepBack( $index, $chunks, count( $envelopes ) - count( $left ) );
				$this->logger->info( '{count} messages still wait for the relay, and maybe more: {answer}', [
					'count' => count( $left ),
					'answer' => $this->delivery->getTrouble()?->message,
				] );
				return false;
			}
			$this->advance( $index['run'], $index['first'] + count( $chunks ), 0 );
		} while ( hrtime( true ) < $deadline );
		return false;
	}

	/**
	 * @param array $index
	 * @param int $count Chunks to look at
	 * @return string[][] The messages of those that are ready, or none of one that will never be
	 */
	private function oldest( array $index, int $count ): array {
		$numbers = range( $index['first'], $index['first'] + $count - 1 );
		$keys = array_map( fn ( int $number ): string => $this->chunkKey( $index['run'], $number ), $numbers );
		$chunks = $this->stash->getMulti( $keys, BagOStuff::READ_LATEST );
		$ready = [];
		foreach ( $keys as $i => $key ) {
			$chunk = $chunks[$key] ?? null;
			if ( is_array( $chunk ) ) {
				$ready[] = $chunk;
			} elseif ( !$this->isLost( $index['run'], $numbers[$i] ) ) {
				return $ready;
			} else {
				$ready[] = [];
				$this->logger->warning( 'Messages that waited for the relay are gone: they were older than a day, or a '
					. 'process ended while it wrote them' );
			}
		}
		return $ready;
	}

	/** @return bool Whether a chunk that is not there has not been there for a while */
	private function isLost( string $run, int $number ): bool {
		$now = ConvertibleTimestamp::time();
		$since = $now;
		$this->change( static function ( array $index ) use ( $run, $number, $now, &$since ) {
			$isKnown = $index['run'] !== $run || ( $index['hole'][0] ?? null ) === $number;
			$since = $isKnown ? $index['hole'][1] ?? $now : $now;
			return $isKnown ? false : [ 'hole' => [ $number, $now ] ] + $index;
		} );
		return $now - $since >= self::HOLE_SECONDS;
	}

	/**
	 * Strike out what the relay has taken, which are the first ones. Nothing that is written here is larger than what
	 * was there: the stash may not take it.
	 *
	 * @param array $index
	 * @param string[][] $chunks
	 * @param int $taken Messages
	 */
	private function keepBack( array $index, array $chunks, int $taken ): void {
		$first = $index['first'];
		foreach ( $chunks as $chunk ) {
			if ( $taken < count( $chunk ) ) {
				break;
			}
			$taken -= count( $chunk );
			$first++;
		}
		if ( $taken > 0 ) {
			$rest = array_slice( $chunks[$first - $index['first']], $taken );
			$this->stash->set( $this->chunkKey( $index['run'], $first ), $rest, self::LIFE_SECONDS );
		}
		$this->advance( $index['run'], $first, $index['tries'] + 1 );
	}

	private function advance( string $run, int $first, int $tries ): void {
		$from = $first;
		$this->change( static function ( array $index ) use ( $run, $first, $tries, &$from ) {
			$from = $index['first'];
			// Others may have had to give way meanwhile.
			return $index['run'] === $run
				? [ 'first' => max( $first, $from ), 'tries' => $tries, 'hole' => null ] + $index
				: false;
		} );
		for ( $number = $from; $number < $first; $number++ ) {
			$this->stash->delete( $this->chunkKey( $run, $number ) );
		}
	}

	/**
	 * @param string[] $chunk
	 * @return bool
	 */
	private function append( array $chunk ): bool {
		$run = '';
		$number = 0;
		$gone = null;
		$isEntered = $this->change( static function ( array $index ) use ( &$run, &$number, &$gone ) {
			$run = $index['run'];
			$number = $index['next'];
			$gone = $number - $index['first'] < self::MAX_CHUNKS ? null : $index['first'];
			return [ 'next' => $number + 1, 'first' => $index['first'] + ( $gone === null ? 0 : 1 ) ] + $index;
		} );
		if ( $isEntered && $gone !== null ) {
			$this->stash->delete( $this->chunkKey( $run, $gone ) );
			$this->troubleLog->error( 'Messages that waited for the relay got lost: {problem}', 'so much waits that '
				. 'the oldest give way; see to it that the relay runs, and that jobs do' );
		}
		return $isEntered && $this->stash->set( $this->chunkKey( $run, $number ), $chunk, self::LIFE_SECONDS );
	}

	/**
	 * @param callable(array):(array|false) $change Makes a new index of the one that is there; false: it stays
	 * @return bool
	 */
	private function change( callable $change ): bool {
		return $this->stash->merge(
			$this->key( 'index' ),
			fn ( $stash, $key, $value ) => $change( $this->indexOf( $value ) ),
			// Longer than any chunk.
			2 * self::LIFE_SECONDS
		);
	}

	private function index(): array {
		// Of replicas one may not know yet what another process has put there.
		return $this->indexOf( $this->stash->get( $this->key( 'index' ), BagOStuff::READ_LATEST ) );
	}

	/**
	 * @param mixed $value
	 * @return array run: another one when the stash has lost the index; first, next: numbers of the first chunk that
	 *   waits and of the one to come; tries: in vain, since the last success; hole: chunk that is not there, since when
	 */
	private function indexOf( $value ): array {
		return is_array( $value ) ? $value : [
			'run' => bin2hex( random_bytes( 8 ) ),
			'first' => 0,
			'next' => 0,
			'tries' => 0,
			'hole' => null,
		];
	}

	/**
	 * @param string[] $envelopes
	 * @return iterable<string[]>
	 */
	private function chunks( array $envelopes ): iterable {
		$chunk = [];
		$bytes = 0;
		foreach ( $envelopes as $envelope ) {
			$bytes += strlen( $envelope );
			if ( $chunk && ( $bytes > self::CHUNK_BYTES || count( $chunk ) === Delivery::BATCH ) ) {
				yield $chunk;
				$chunk = [];
				$bytes = strlen( $envelope );
			}
			$chunk[] = $envelope;
		}
		yield $chunk;
	}

	/**
	 * A job that waits already takes the place of this one. It is not pushed lazily: what ends a process flushes too,
	 * and then nobody would do what is deferred.
	 */
	private function schedule( int $delay ): void {
		$params = [];
		if ( $this->jobs->get( self::JOB )->delayedJobsEnabled() ) {
			$params['jobReleaseTimestamp'] = ConvertibleTimestamp::time() + $delay;
		}
		$this->jobs->push( new PublishJob( $params ) );
	}

	private function key( string $name ): string {
		return $this->stash->makeKey( 'websocket-backlog', $name );
	}

	private function chunkKey( string $run, int $number ): string {
		return $this->stash->makeKey( 'websocket-backlog', $run, (string)$number );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Revocation;

use DeferredUpdates;
use JobQueueGroup;
use MediaWiki\Extension\WebSocket\AfterCommit;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Relay\RelayClient;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Extension\WebSocket\TroubleLog;
use Psr\Log\LoggerInterface;
use Throwable;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * Tells the relay that tokens of this wiki do not count any more, so that their owners need new ones, which say what
 * they may do now: on the spot, connections that live on such a token end.
 *
 * What a request revokes is sent, like messages, once the database has committed and the response has gone out. When
 * the relay is away or hangs, a job repeats it until it is told, or until no token of that time is good any more. No
 * method throws, and none waits for longer than a few seconds, however much there is to revoke.
 */
class Revoker {
	/** Name of the job */
	public const JOB = 'webSocketRevoke';

	/** Seconds that the relay forgives expired tokens, and a margin for the clocks */
	private const LEEWAY_SECONDS = 300;

	/** Seconds until the job is repeated, where the job queue knows delays */
	private const RETRY_SECONDS = 5;

	/** Seconds for telling the relay of all that is revoked at once; the job has the rest */
	private const SEND_SECONDS = RelayClient::INSISTENT_SECONDS;

	/** Seconds that the replicas of the database may take to catch up, and how long they are not waited for again */
	private const REPLICATION_SECONDS = 2;
	private const REPLICATION_REST_SECONDS = 30;

	/** Targets in a job, whose parameters hold 64 KB in old databases */
	private const JOB_TARGETS = 50;

	/** @var array<string,array{string,string}> What is revoked, by both; of a transaction that has committed */
	private array $ready = [];

	private bool $flushesAtExit = false;

	/** Unix time from which on replicas are waited for */
	private int $waitsAfter = 0;

	/**
	 * @param TokenMinter $tokens
	 * @param RelayClient $client
	 * @param Registrar $registrar
	 * @param AfterCommit $afterCommit
	 * @param JobQueueGroup $jobs
	 * @param LoggerInterface $logger
	 * @param TroubleLog $troubleLog
	 * @param int $tokenLife Seconds that the tokens which can be revoked are good for
	 * @param bool $hasRelay Whether there are tokens at all: pages that poll have none
	 */
	public function __construct(
		private readonly TokenMinter $tokens,
		private readonly RelayClient $client,
		private readonly Registrar $registrar,
		private readonly AfterCommit $afterCommit,
		private readonly JobQueueGroup $jobs,
		private readonly LoggerInterface $logger,
		private readonly TroubleLog $troubleLog,
		private readonly int $tokenLife,
		private readonly bool $hasRelay = true
	) {
	}

	/**
	 * Revoke the tokens of a user and end the connections.
	 *
	 * @param string $name '' does nothing: it would be everybody without an account
	 */
	public function revokeUser( string $name ): void {
		$this->add( 'user', $name );
	}

	/**
	 * Revoke the tokens of one session and end its connection.
	 *
	 * @param string $name See TokenMinter::sessionName()
	 */
	public function revokeSession( string $name ): void {
		$this->add( 'session', $name );
	}

	/**
	 * Revoke the subscription tokens for a type and end the subscriptions that they have opened.
	 *
	 * @param string $type As pages subscribe to it, with the wiki id
	 */
	public function revokeType( string $type ): void {
		$this->add( 'type', $type );
	}

	/**
	 * Revoke without waiting for a commit, and say what came of it. If the relay is away a job repeats it.
	 *
	 * @param string $kind user, session or type
	 * @param string $name
	 * @return RelayAnswer
	 */
	public function revokeNow( string $kind, string $name ): RelayAnswer {
		$before = $this->timeOfLastToken();
		try {
			$answer = $this->tell( $kind, $name, $before );
		} catch ( Throwable $e ) {
			$answer = new RelayAnswer( RelayAnswer::BROKEN, $e->getMessage() );
		}
		if ( !$answer->isOk() && !$this->isFinal( $answer ) ) {
			$this->queue( [ [ $kind, $name ] ], $before );
		}
		return $answer;
	}

	/**
	 * Send everything that is ready now.
	 */
	public function flush(): void {
		$targets = array_values( $this->ready );
		$this->ready = [];
		if ( $targets ) {
			$before = $this->timeOfLastToken();
			$this->queue( $this->send( $targets, $before ), $before );
		}
	}

	/**
	 * What the job does.
	 *
	 * @param array $targets [ kind, name ] each
	 * @param int $before Unix time of the event
	 */
	public function repeat( array $targets, int $before ): void {
		$left = $this->send( $targets, $before );
		if ( $left && ConvertibleTimestamp::time() - $before > $this->tokenLife + self::LEEWAY_SECONDS ) {
			$this->logger->warning( 'The relay has not been told of {count} revocations for so long that the tokens '
				. 'have run out by themselves', [ 'count' => count( $left ) ] );
			return;
		}
		$this->queue( $left, $before );
	}

	private function add( string $kind, string $name ): void {
		if ( $name === '' || !$this->hasRelay ) {
			return;
		}
		try {
			$this->afterCommit->run( function () use ( $kind, $name ) {
				if ( !$this->flushesAtExit ) {
					// For scripts and requests that end without running what they have deferred.
					register_shutdown_function( [ $this, 'flush' ] );
					$this->flushesAtExit = true;
				}
				$this->ready["$kind $name"] = [ $kind, $name ];
				DeferredUpdates::addUpdate( new RevokeUpdate( $this ) );
			} );
		} catch ( Throwable $e ) {
			$this->logger->error( 'A revocation got lost: {exception}', [ 'exception' => $e, 'kind' => $kind ] );
		}
	}

	/**
	 * Until the replicas of the database know what has happened, new tokens may still say what was true before.
	 *
	 * @return int Unix time until which tokens do not count
	 */
	private function timeOfLastToken(): int {
		try {
			$isWaiting = ConvertibleTimestamp::time() >= $this->waitsAfter;
			if ( $isWaiting && !$this->afterCommit->waitForReplication( self::REPLICATION_SECONDS ) ) {
				$this->logger->warning( 'The replicas of the database are so far behind that whoever reloads the page '
					. 'at once may get a token with rights that were just taken away' );
				// A script that revokes many users one by one would wait for each of them.
				$this->waitsAfter = ConvertibleTimestamp::time() + self::REPLICATION_REST_SECONDS;
			}
		} catch ( Throwable $e ) {
			$this->logger->warning( 'Waiting for replication failed: {exception}', [ 'exception' => $e ] );
		}
		return ConvertibleTimestamp::time();
	}

	/**
	 * @param array $targets [ kind, name ] each
	 * @param int $before
	 * @return array[] Those that have to be repeated
	 */
	private function send( array $targets, int $before ): array {
		$left = [];
		$deadline = hrtime( true ) + self::SEND_SECONDS * 1e9;
		foreach ( $targets as $i => $target ) {
			if ( hrtime( true ) > $deadline ) {
				return [ ...$left, ...array_slice( $targets, $i ) ];
			}
			[ $kind, $name ] = $target;
			try {
				$answer = $this->tell( $kind, $name, $before );
			} catch ( Throwable $e ) {
				// For example the wiki has no key just now.
				$this->troubleLog->error( 'Nothing can be revoked: {problem}', $e->getMessage() );
				$answer = new RelayAnswer( RelayAnswer::BROKEN, $e->getMessage() );
			}
			if ( $answer->isOk() ) {
				continue;
			}
			$context = [ 'kind' => $kind, 'name' => $name, 'status' => $answer->status, 'answer' => $answer->message ];
			if ( $this->isFinal( $answer ) ) {
				$this->logger->error( 'The relay refuses to revoke {kind} "{name}", {status}: {answer}', $context );
				continue;
			}
			$this->logger->info( 'The relay was not told to revoke {kind} "{name}": {answer}', $context );
			$left[] = $target;
		}
		return $left;
	}

	/**
	 * @param RelayAnswer $answer
	 * @return bool Whether to repeat it would bring the same answer, so that no job does
	 */
	public function isFinal( RelayAnswer $answer ): bool {
		return in_array( $answer->status, [ 400, 403, 413 ], true );
	}

	private function tell( string $kind, string $name, int $before ): RelayAnswer {
		$answer = $this->post( $kind, $name, $before );
		// A relay that has lost its memory, or a new key: no page has been viewed since.
		$registered = $answer->status === 401 ? $this->registrar->register() : null;
		if ( $registered?->isOk() ) {
			$answer = $this->post( $kind, $name, $before );
		}
		if ( $answer->status === 401 ) {
			$this->troubleLog->error( 'The relay does not take revocations from this wiki: {problem}',
				$registered->status === RelayAnswer::OUTDATED ? $registered->message
					: "$answer->message; see what maintenance/WebSocketRelay.php says" );
		}
		return $answer;
	}

	private function post( string $kind, string $name, int $before ): RelayAnswer {
		return $this->client->insist(
			'/api/disconnect',
			[ 'Authorization' => 'Bearer ' . $this->tokens->publishToken() ],
			json_encode(
				[ $kind => $name, 'before' => $before ],
				JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR
			)
		);
	}

	/**
	 * @param array[] $targets [ kind, name ] each
	 * @param int $before
	 */
	private function queue( array $targets, int $before ): void {
		foreach ( array_chunk( $targets, self::JOB_TARGETS ) as $chunk ) {
			try {
				$params = [ 'targets' => $chunk, 'before' => $before ];
				if ( $this->jobs->get( self::JOB )->delayedJobsEnabled() ) {
					$params['jobReleaseTimestamp'] = ConvertibleTimestamp::time() + self::RETRY_SECONDS;
				}
				$this->jobs->push( new RevokeJob( $params ) );
			} catch ( Throwable $e ) {
				$this->logger->error(
					'{count} revocations got lost, the first of {kind} "{name}". Repeat them with '
						. 'maintenance/WebSocketRelay.php. {exception}',
					[
						'count' => count( $chunk ),
						'kind' => $chunk[0][0],
						'name' => $chunk[0][1],
						'exception' => $e,
					]
				);
			}
		}
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use DeferredUpdates;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Relay\RelayClient;
use Psr\Log\LoggerInterface;
use Throwable;

/**
 * Collects the messages of a request and hands them to the relay, all in one, when they are true and nobody waits.
 *
 * A message counts from the moment its database transaction has committed; one whose transaction is rolled back is
 * forgotten. On the web the messages leave after the response; maintenance scripts and jobs send them as they go. No
 * method throws, and a relay that is not there or hangs costs messages, never a save.
 */
class Publisher {
	/** Messages that the relay takes in one request */
	private const BATCH = 1024;

	/** @var string[] Encoded messages whose transaction has committed */
	private array $ready = [];

	private bool $flushesAtExit = false;

	public function __construct(
		private readonly EnvelopeEncoder $encoder,
		private readonly TokenMinter $tokens,
		private readonly RelayClient $client,
		private readonly Registrar $registrar,
		private readonly AfterCommit $afterCommit,
		private readonly LoggerInterface $logger,
		private readonly TroubleLog $troubleLog
	) {
	}

	/**
	 * Send a message once the current transaction, if any, has committed.
	 *
	 * @param mixed $type See WebSocket::send()
	 * @param mixed $msg
	 * @param string|null $from Client id of the sender, null for none
	 * @param mixed $to
	 * @param string|null $actor See ClientId::actor()
	 * @return bool Whether it was accepted; if not, the log says why
	 */
	public function publish(
		mixed $type,
		mixed $msg,
		?string $from = null,
		mixed $to = false,
		?string $actor = null
	): bool {
		try {
			$envelopes = $this->encoder->encode( $type, $msg, $from, $to, $actor );
		} catch ( Throwable $e ) {
			$this->logger->error( 'A message was not sent: {problem}', [
				'problem' => $e->getMessage(),
				'type' => is_string( $type ) ? mb_substr( mb_scrub( $type, 'UTF-8' ), 0, 255 ) : gettype( $type ),
				// Whose mistake it is, is in the stack.
				'exception' => $e,
			] );
			return false;
		}
		try {
			$this->afterCommit->run( function () use ( $envelopes ) {
				if ( !$this->flushesAtExit ) {
					// For scripts and requests that end without running what they have deferred.
					register_shutdown_function( [ $this, 'flush' ] );
					$this->flushesAtExit = true;
				}
				array_push( $this->ready, ...$envelopes );
				DeferredUpdates::addUpdate( new PublishUpdate( $this ) );
			} );
		} catch ( Throwable $e ) {
			$this->logger->error( 'A message was not sent: {exception}', [ 'exception' => $e ] );
			return false;
		}
		return true;
	}

	/**
	 * Hand everything that is ready to the relay now.
	 */
	public function flush(): void {
		$envelopes = $this->ready;
		$this->ready = [];
		$problem = $this->tokens->getProblem();
		if ( $envelopes && $problem !== null ) {
			$this->troubleLog->error( 'Nothing is published: {problem}', $problem );
			return;
		}
		try {
			foreach ( $this->batches( $envelopes ) as $batch ) {
				if ( !$this->post( $batch ) ) {
					break;
				}
			}
		} catch ( Throwable $e ) {
			$this->logger->error( 'Publishing failed: {exception}', [ 'exception' => $e ] );
		}
	}

	/**
	 * @param string[] $envelopes
	 * @return iterable<string[]> Each small enough for one request
	 */
	private function batches( array $envelopes ): iterable {
		$batch = [];
		$bytes = $empty = strlen( $this->encoder->body( [] ) );
		foreach ( $envelopes as $envelope ) {
			$more = strlen( $envelope ) + 1;
			if ( $batch && ( $bytes + $more > EnvelopeEncoder::BODY_BYTES || count( $batch ) === self::BATCH ) ) {
				yield $batch;
				$batch = [];
				$bytes = $empty;
			}
			$batch[] = $envelope;
			$bytes += $more;
		}
		if ( $batch ) {
			yield $batch;
		}
	}

	/**
	 * @param string[] $batch
	 * @return bool Whether it is worth going on with the next one
	 */
	private function post( array $batch ): bool {
		$answer = $this->postOnce( $batch );
		// A relay that has lost its memory, or a new key: no page has been viewed since.
		$registered = $answer->status === 401 ? $this->registrar->register() : null;
		if ( $registered?->isOk() ) {
			$answer = $this->postOnce( $batch );
		}
		if ( $answer->isOk() ) {
			return true;
		}
		if ( $registered?->status === RelayAnswer::OUTDATED ) {
			$this->troubleLog->error( 'The relay does not take messages from here: {problem}', $registered->message );
			return false;
		}
		if ( $answer->status === 401 ) {
			$this->troubleLog->error( 'The relay does not take messages from this wiki: {problem}', $answer->message
				. '; if it is the relay of another wiki, set $wgWebSocketDirectory to the same folder in both, and if '
				. 'it runs elsewhere, register this wiki and its $wgWebSocketKey there' );
			return false;
		}
		if ( $answer->status === 429 ) {
			$this->troubleLog->error( 'Messages of this wiki got lost: {problem}', 'it publishes more than the relay '
				. 'takes from one wiki; see wikiPublishesPerSecond and wikiPublishesBurst in its configuration' );
			return false;
		}
		$refused = in_array( $answer->status, [ 400, 403, 413 ], true );
		if ( $refused && count( $batch ) > 1 ) {
			// The relay takes all or nothing, so one bad message is looked for in ever smaller halves.
			$halves = array_chunk( $batch, intdiv( count( $batch ) + 1, 2 ) );
			return $this->post( $halves[0] ) && $this->post( $halves[1] );
		}
		$context = [
			'count' => count( $batch ),
			'status' => $answer->status,
			'answer' => $answer->message,
			'first' => mb_strcut( $batch[0], 0, 200 ),
		];
		if ( $answer->status > 0 ) {
			$this->logger->error( 'The relay refused {count} messages, {status}: {answer}. First: {first}', $context );
		} else {
			// Why there is none is in the log already; as an error this would be a line an edit.
			$this->logger->info( 'There was no relay for {count} messages: {answer}. First: {first}', $context );
		}
		return $refused;
	}

	/**
	 * @param string[] $batch
	 * @return RelayAnswer
	 */
	private function postOnce( array $batch ): RelayAnswer {
		return $this->client->post(
			'/api/publish',
			[ 'Authorization' => 'Bearer ' . $this->tokens->publishToken() ],
			$this->encoder->body( $batch )
		);
	}
}

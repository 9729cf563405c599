<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use DeferredUpdates;
use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Relay\Delivery;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use Psr\Log\LoggerInterface;
use Throwable;

/**
 * Collects the messages of a request and hands them to the relay, all in one, when they are true and nobody waits.
 *
 * A message counts from the moment its database transaction has committed; one whose transaction is rolled back is
 * forgotten. On the web the messages leave after the response; maintenance scripts and jobs send them as they go. No
 * method throws, and a relay that is not there or hangs never costs a save. It costs the messages whose types have no
 * history; the others wait in the backlog, and later ones of such types behind them: of two messages that comes first
 * whose flush was over when the other's began.
 */
class Publisher {
	/** @var Envelope[] Messages whose transaction has committed */
	private array $ready = [];

	private bool $flushesAtExit = false;

	/**
	 * @param EnvelopeEncoder $encoder
	 * @param TokenMinter $tokens
	 * @param TypeRegistry $types
	 * @param Delivery $delivery
	 * @param Backlog $backlog
	 * @param Outbox|null $outbox Where pages poll for the messages; null: there is a relay
	 * @param AfterCommit $afterCommit
	 * @param LoggerInterface $logger
	 * @param TroubleLog $troubleLog
	 */
	public function __construct(
		private readonly EnvelopeEncoder $encoder,
		private readonly TokenMinter $tokens,
		private readonly TypeRegistry $types,
		private readonly Delivery $delivery,
		private readonly Backlog $backlog,
		private readonly ?Outbox $outbox,
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
		return $this->enqueue( $envelopes );
	}

	/**
	 * Have it forgotten what is kept of a type, once the current transaction, if any, has committed: something of it
	 * must not be read any more. Pages that come back from before are told that they may have missed something.
	 *
	 * @param string $type Of this wiki; with "*" at the end all types that begin so
	 * @return bool Whether it was accepted; if not, the log says why
	 */
	public function forget( string $type ): bool {
		return $this->enqueue( [ $this->encoder->forgetting( $type ) ] );
	}

	/**
	 * @param Envelope[] $envelopes
	 * @return bool
	 */
	private function enqueue( array $envelopes ): bool {
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
	 * Hand everything that is ready to the relay now, or put it where it waits.
	 */
	public function flush(): void {
		$envelopes = $this->ready;
		$this->ready = [];
		if ( !$envelopes ) {
			return;
		}
		try {
			if ( $this->outbox ) {
				$this->outbox->add( $envelopes );
			} elseif ( $this->tokens->getProblem() !== null ) {
				$this->troubleLog->error( 'Nothing is published: {problem}', $this->tokens->getProblem() );
			} else {
				$this->send( $envelopes );
			}
		} catch ( Throwable $e ) {
			$this->logger->error( 'Publishing failed: {exception}', [ 'exception' => $e ] );
		}
	}

	/**
	 * @param Envelope[] $envelopes
	 */
	private function send( array $envelopes ): void {
		$all = array_map( static fn ( Envelope $envelope ): string => $envelope->json, $envelopes );
		$lasting = $this->lasting( $envelopes );
		// Nothing overtakes what has been waiting.
		$behind = $lasting && $this->isWaiting() ? $lasting : [];
		$direct = $behind ? array_values( array_diff( $all, $behind ) ) : $all;
		try {
			$left = $this->delivery->deliver( $direct );
		} catch ( Throwable $e ) {
			$this->logger->error( 'Publishing failed: {exception}', [ 'exception' => $e ] );
			// What has arrived already is known by its key.
			$left = $direct;
		}
		$kept = $behind ?: array_values( array_intersect( $left, $lasting ) );
		$lost = array_diff( $left, $kept );
		if ( $kept && !$this->backlog->add( $kept ) ) {
			$lost = [ ...$lost, ...$kept ];
			$kept = [];
		}
		if ( $behind && !$left ) {
			// Nobody knows yet that the relay is not back.
			$this->backlog->runNow();
			$kept = $this->isWaiting() ? $kept : [];
		}
		if ( !$kept && !$lost ) {
			return;
		}
		// Why is in the log already; as an error this would be a line an edit.
		$this->logger->info(
			'There was no relay for {count} messages: {answer}. {kept} of them wait for it, {lost} are lost. '
				. 'First: {first}',
			[
				'count' => count( $kept ) + count( $lost ),
				'kept' => count( $kept ),
				'lost' => count( $lost ),
				'answer' => $this->delivery->getTrouble()?->message ?? 'others wait already',
				'first' => mb_strcut( $kept[0] ?? reset( $lost ), 0, 200 ),
			]
		);
	}

	/** @return bool See Backlog */
	private function isWaiting(): bool {
		try {
			return $this->backlog->isWaiting();
		} catch ( Throwable $e ) {
			$this->logger->error( 'What waits for the relay cannot be read: {exception}', [ 'exception' => $e ] );
			// The relay may be there.
			return false;
		}
	}

	/**
	 * @param Envelope[] $envelopes
	 * @return string[] The JSON of those whose types have history
	 */
	private function lasting( array $envelopes ): array {
		$lasting = [];
		foreach ( $envelopes as $envelope ) {
			if ( $envelope->forgets || $this->types->historySeconds( $envelope->type ) > 0 ) {
				$lasting[] = $envelope->json;
			}
		}
		return $lasting;
	}
}

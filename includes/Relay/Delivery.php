<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Extension\WebSocket\TroubleLog;
use Psr\Log\LoggerInterface;

/**
 * Takes messages to the relay, in order, and says which it could not take.
 *
 * What the relay refuses for good is logged and counts as delivered: the same answer would come again. All else may
 * pass: a relay that is away, hangs, has too much to do or does not know this wiki.
 */
class Delivery {
	/** Messages that the relay takes in one request */
	public const BATCH = 1024;

	/** Answers that would be the same the next time */
	private const FINAL = [ 400, 403, 413 ];

	/** @var RelayAnswer|null The last one that kept messages back */
	private ?RelayAnswer $trouble = null;

	public function __construct(
		private readonly EnvelopeEncoder $encoder,
		private readonly TokenMinter $tokens,
		private readonly RelayClient $client,
		private readonly Registrar $registrar,
		private readonly LoggerInterface $logger,
		private readonly TroubleLog $troubleLog
	) {
	}

	/**
	 * @param string[] $envelopes The JSON of each
	 * @param bool $insists See RelayClient::insist()
	 * @return string[] Those that were not delivered, which are the last ones; getTrouble() says why
	 */
	public function deliver( array $envelopes, bool $insists = false ): array {
		$this->trouble = null;
		$batches = $this->batches( $envelopes );
		foreach ( $batches as $i => $batch ) {
			$left = $this->post( $batch, $insists );
			if ( $left ) {
				return array_merge( $left, ...array_slice( $batches, $i + 1 ) );
			}
		}
		return [];
	}

	/** @return RelayAnswer|null What kept the last delivery from being complete */
	public function getTrouble(): ?RelayAnswer {
		return $this->trouble;
	}

	/**
	 * @param string[] $envelopes
	 * @return string[][] Each small enough for one request
	 */
	private function batches( array $envelopes ): array {
		$batches = [];
		$batch = [];
		$bytes = $empty = strlen( $this->encoder->body( [] ) );
		foreach ( $envelopes as $envelope ) {
			$more = strlen( $envelope ) + 1;
			if ( $batch && ( $bytes + $more > EnvelopeEncoder::BODY_BYTES || count( $batch ) === self::BATCH ) ) {
				$batches[] = $batch;
				$batch = [];
				$bytes = $empty;
			}
			$batch[] = $envelope;
			$bytes += $more;
		}
		if ( $batch ) {
			$batches[] = $batch;
		}
		return $batches;
	}

	/**
	 * @param string[] $batch
	 * @param bool $insists
	 * @return string[] What is left of it
	 */
	private function post( array $batch, bool $insists ): array {
		$answer = $this->postOnce( $batch, $insists );
		// A relay that has lost its memory, or a new key: no page has been viewed since.
		$registered = $answer->status === 401 ? $this->registrar->register() : null;
		if ( $registered?->isOk() ) {
			$answer = $this->postOnce( $batch, $insists );
		}
		if ( $answer->isOk() ) {
			return [];
		}
		$isFinal = in_array( $answer->status, self::FINAL, true );
		if ( $isFinal && count( $batch ) > 1 ) {
			// The relay takes all or nothing, so one bad message is looked for in ever smaller halves.
			[ $first, $second ] = array_chunk( $batch, intdiv( count( $batch ) + 1, 2 ) );
			$left = $this->post( $first, $insists );
			return $left ? [ ...$left, ...$second ] : $this->post( $second, $insists );
		}
		$this->log( $answer, $registered, $batch );
		if ( $isFinal ) {
			return [];
		}
		$this->trouble = $answer;
		return $batch;
	}

	/**
	 * @param RelayAnswer $answer
	 * @param RelayAnswer|null $registered What came of telling the relay about this wiki, if that was tried
	 * @param string[] $batch
	 */
	private function log( RelayAnswer $answer, ?RelayAnswer $registered, array $batch ): void {
		if ( $registered?->status === RelayAnswer::OUTDATED ) {
			$this->troubleLog->error( 'The relay does not take messages from here: {problem}', $registered->message );
		} elseif ( $answer->status === 401 ) {
			$this->troubleLog->error( 'The relay does not take messages from this wiki: {problem}', $answer->message
				. '; if it is the relay of another wiki, set $wgWebSocketDirectory to the same folder in both, and if '
				. 'it runs elsewhere, register this wiki and its $wgWebSocketKey there' );
		} elseif ( $answer->status === 429 ) {
			$this->troubleLog->error( 'The relay did not take messages of this wiki: {problem}', 'it publishes more '
				. 'than the relay takes from one wiki; see wikiPublishesPerSecond and wikiPublishesBurst in its '
				. 'configuration' );
		} elseif ( $answer->status > 0 ) {
			$this->logger->error( 'The relay refused {count} messages, {status}: {answer}. First: {first}', [
				'count' => count( $batch ),
				'status' => $answer->status,
				'answer' => $answer->message,
				'first' => mb_strcut( $batch[0], 0, 200 ),
			] );
		}
		// Why there is none, or it is left alone, is in the log already.
	}

	/**
	 * @param string[] $batch
	 * @param bool $insists
	 * @return RelayAnswer
	 */
	private function postOnce( array $batch, bool $insists ): RelayAnswer {
		$headers = [ 'Authorization' => 'Bearer ' . $this->tokens->publishToken() ];
		$body = $this->encoder->body( $batch );
		return $insists
			? $this->client->insist( '/api/publish', $headers, $body )
			: $this->client->post( '/api/publish', $headers, $body );
	}
}

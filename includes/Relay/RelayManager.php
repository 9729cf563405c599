<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use Closure;
use DeferredUpdates;
use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MWCallableUpdate;
use Throwable;

/**
 * Sees to it, after each page view, that a relay runs that knows this wiki.
 */
class RelayManager {
	/** Seconds without another attempt after the relay could not be started */
	public const RETRY_SECONDS = 30;

	/**
	 * @param Settings $settings
	 * @param WikiIdentity $wiki
	 * @param Registrar $registrar
	 * @param RelayStarter $starter
	 * @param Cooldown $cooldown
	 * @param TroubleLog $log
	 * @param Closure():Backlog $backlog What waits for a relay
	 * @param bool $isCommandLine Maintenance scripts start nothing: they may run as another user, and end
	 */
	public function __construct(
		private readonly Settings $settings,
		private readonly WikiIdentity $wiki,
		private readonly Registrar $registrar,
		private readonly RelayStarter $starter,
		private readonly Cooldown $cooldown,
		private readonly TroubleLog $log,
		private readonly Closure $backlog,
		private readonly bool $isCommandLine
	) {
	}

	/**
	 * Look after the relay when the response has gone out.
	 */
	public function schedule(): void {
		$update = new MWCallableUpdate( [ $this, 'ensure' ], __METHOD__ );
		// It has nothing to do with the database.
		$update->setTransactionRoundRequirement( MWCallableUpdate::TRX_ROUND_ABSENT );
		DeferredUpdates::addUpdate( $update );
	}

	/**
	 * Register the wiki with the relay, which is started if need be and if that is PHP's task. Never throws.
	 */
	public function ensure(): void {
		try {
			$this->reportSettings();
			// Pages that poll need no relay.
			if ( $this->wiki->key === null || $this->isElsewhere() || $this->settings->polling ) {
				return;
			}
			$answer = $this->registrar->register();
			if ( $answer->status === RelayAnswer::ABSENT && $this->mayStart() ) {
				$answer = $this->startAndRegister();
			}
			if ( $answer->status >= 300 || $answer->status === RelayAnswer::BROKEN ) {
				$this->log->error(
					'The relay does not register this wiki: {problem}',
					"$answer->status $answer->message"
				);
			}
		} catch ( Throwable $e ) {
			$this->log->error( 'Looking after the relay failed: {problem}', (string)$e );
		}
	}

	/** @return bool Whether the relay has no control socket here */
	private function isElsewhere(): bool {
		return $this->settings->relay !== null && !str_starts_with( $this->settings->relay, 'unix:' );
	}

	private function mayStart(): bool {
		return $this->settings->autostart && $this->settings->relay === null && !$this->isCommandLine
			&& !$this->settings->errors && !$this->cooldown->isActive( $this->attempt() );
	}

	/** An administrator who has mended a setting does not have to wait. */
	private function attempt(): string {
		return 'start-' . $this->starter->fingerprint();
	}

	private function startAndRegister(): RelayAnswer {
		$problem = $this->starter->start(
			fn () => $this->registrar->register()->status !== RelayAnswer::ABSENT
		);
		if ( $problem !== null ) {
			$this->cooldown->start( $this->attempt(), self::RETRY_SECONDS );
			$this->log->error( 'The relay was not started: {problem}', $problem );
			return new RelayAnswer( RelayAnswer::ABSENT );
		}
		$answer = $this->registrar->register();
		if ( $answer->isOk() ) {
			( $this->backlog )()->runNow();
		}
		return $answer;
	}

	private function reportSettings(): void {
		$problems = $this->settings->errors;
		// Pages that poll need no key.
		if ( $this->wiki->problem !== null && !$this->settings->polling ) {
			$problems[] = $this->wiki->problem;
		}
		if ( $problems ) {
			$this->log->error(
				'LocalSettings.php: {problem}.'
					. ( $this->settings->polling ? '' : ' Until that is mended no relay is started.' ),
				implode( '; ', $problems )
			);
		}
	}
}

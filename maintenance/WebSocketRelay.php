<?php
/**
 * What the relay knows about this wiki; a new key; the end of somebody's connections.
 *
 *     MediaWiki 1.39          php extensions/WebSocket/maintenance/WebSocketRelay.php
 *     MediaWiki 1.40 and up   php maintenance/run.php WebSocket:WebSocketRelay
 *
 * Run it as the user that the web server runs PHP as: the relay's control socket is for nobody else.
 */

namespace MediaWiki\Extension\WebSocket\Maintenance;

use Maintenance;
use MediaWiki\Extension\WebSocket\Keys\KeyRotation;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAnswer;
use MediaWiki\Extension\WebSocket\Relay\RelayClient;
use MediaWiki\Extension\WebSocket\Relay\RelayReport;
use MediaWiki\Extension\WebSocket\Revocation\Revoker;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\MediaWikiServices;
use RuntimeException;

$IP = getenv( 'MW_INSTALL_PATH' ) ?: dirname( __DIR__, 3 );
require_once "$IP/maintenance/Maintenance.php";

class WebSocketRelay extends Maintenance {
	private const ACTIONS = [ 'status', 'rotate-key', 'revoke', 'session', 'type' ];

	public function __construct() {
		parent::__construct();
		$this->requireExtension( 'WebSocket' );
		$this->addDescription( 'Show what the relay knows about this wiki (without an option, or with --status), give '
			. 'the wiki a new key, or end connections. Run it as the user that the web server runs PHP as.' );
		$this->addOption( 'status', 'Show what the relay knows about this wiki' );
		$this->addOption( 'json', 'With --status: show it as JSON' );
		$this->addOption( 'rotate-key', 'Give the wiki a new key; the one before counts for 48 hours more' );
		$this->addOption( 'force', 'With --rotate-key: although the last rotation is less than 48 hours ago' );
		$this->addOption( 'revoke', 'End the connections of this user, and refuse the tokens of before', false, true );
		$this->addOption( 'session', 'End the connections of this session, the "sid" of a token', false, true );
		$this->addOption( 'type', 'End the subscriptions to this type that needed a subscription token', false, true );
	}

	/** @inheritDoc */
	public function execute() {
		$actions = array_filter( self::ACTIONS, fn ( $name ) => $this->hasOption( $name ) );
		if ( count( $actions ) > 1 ) {
			$this->fatalError( 'One thing at a time: only one of --' . implode( ', --', self::ACTIONS ) );
		}
		/** @var RelayClient $client */
		$client = $this->service( 'RelayClient' );
		$client->bePatient();
		$this->reportSettings();
		switch ( reset( $actions ) ) {
			case 'rotate-key':
				$this->rotateKey();
				break;
			case 'revoke':
				$name = $this->userName( (string)$this->getOption( 'revoke' ) );
				$this->revoke( 'user', [ $name ], "user \"$name\"" );
				break;
			case 'session':
				$name = (string)$this->getOption( 'session' );
				$this->revoke( 'session', [ $name ], "session $name" );
				break;
			case 'type':
				$types = $this->typeNames( (string)$this->getOption( 'type' ) );
				$this->revoke( 'type', $types, 'type "' . implode( '" and "', $types ) . '"' );
				break;
			default:
				$this->showStatus();
		}
	}

	private function service( string $name ): object {
		return MediaWikiServices::getInstance()->getService( "WebSocket.$name" );
	}

	private function reportSettings(): void {
		/** @var Settings $settings */
		$settings = $this->service( 'Settings' );
		foreach ( $settings->errors as $problem ) {
			$this->error( "LocalSettings.php: $problem" );
		}
		/** @var WikiIdentity $wiki */
		$wiki = $this->service( 'WikiIdentity' );
		if ( $wiki->problem !== null ) {
			$this->fatalError( $wiki->problem );
		}
	}

	private function showStatus(): void {
		/** @var TokenMinter $tokens */
		$tokens = $this->service( 'TokenMinter' );
		/** @var RelayClient $client */
		$client = $this->service( 'RelayClient' );
		$answer = $client->get( '/api/stats', [ 'Authorization' => 'Bearer ' . $tokens->publishToken() ] );
		if ( !$answer->isOk() ) {
			$this->fatalError( $this->explain( $answer ) );
		}
		$stats = json_decode( $answer->body, true );
		if ( !is_array( $stats ) ) {
			$this->fatalError( 'The relay did not answer with JSON; is something else listening there?' );
		}
		/** @var Registrar $registrar */
		$registrar = $this->service( 'Registrar' );
		$registration = $registrar->check()->status;
		if ( $this->hasOption( 'json' ) ) {
			$stats['current'] = $registration > 0 ? $registration === 304 : null;
			$this->output( json_encode( $stats, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES ) . "\n" );
			return;
		}
		$this->output( ( new RelayReport() )->format( $stats, $registration ) );
	}

	private function rotateKey(): void {
		/** @var KeyRotation $rotation */
		$rotation = $this->service( 'KeyRotation' );
		try {
			$this->output( $rotation->rotate( $this->hasOption( 'force' ) ) . "\n" );
		} catch ( RuntimeException $e ) {
			$this->fatalError( $e->getMessage() );
		}
	}

	/**
	 * @param string $kind
	 * @param string[] $names
	 * @param string $what Both, for people
	 */
	private function revoke( string $kind, array $names, string $what ): void {
		if ( $names === [ '' ] ) {
			$this->fatalError( "Whose? The $kind has no name." );
		}
		/** @var Revoker $revoker */
		$revoker = $this->service( 'Revoker' );
		$answers = array_map( static fn ( $name ) => $revoker->revokeNow( $kind, $name ), $names );
		foreach ( $answers as $answer ) {
			if ( !$answer->isOk() ) {
				$this->fatalError( $this->explain( $answer ) . ( $revoker->isFinal( $answer ) ? ''
					: "\nThe job queue goes on trying to revoke $what." ) );
			}
		}
		$this->output( "Revoked: $what. Tokens from before do not count any more.\n" );
	}

	private function userName( string $name ): string {
		$services = MediaWikiServices::getInstance();
		$canonical = $services->getUserNameUtils()->getCanonical( $name );
		if ( $canonical === false ) {
			$this->fatalError( "\"$name\" cannot be the name of a user." );
		}
		$user = $services->getUserIdentityLookup()->getUserIdentityByName( $canonical );
		if ( !$user || !$user->isRegistered() ) {
			// Somebody who was renamed or merged may still have tokens.
			$this->error( "There is no user \"$canonical\" on this wiki." );
		}
		return $canonical;
	}

	/** @return string[] */
	private function typeNames( string $type ): array {
		/** @var TypeRegistry $types */
		$types = $this->service( 'TypeRegistry' );
		return $type === '' ? [ '' ] : $types->spellings( $type );
	}

	/** @return string What is wrong and what to do */
	private function explain( RelayAnswer $answer ): string {
		/** @var Settings $settings */
		$settings = $this->service( 'Settings' );
		return match ( $answer->status ) {
			RelayAnswer::ABSENT => "There is no relay ($answer->message). "
				. ( $settings->relay !== null || !$settings->autostart ? 'Start it.'
					: 'View a page of the wiki, which starts it; if it does not, the log channel "WebSocket" says why. '
						. 'If it runs, run this as the user that the web server runs PHP as.' ),
			RelayAnswer::TIMEOUT => 'The relay did not answer within ' . RelayClient::PATIENT_SECONDS
				. ' s. End it if it hangs: the next page view starts it again.',
			RelayAnswer::BROKEN => "That is not the relay, or it is broken: $answer->message.",
			401 => "The relay does not know this wiki or its key ($answer->message). View a page of the wiki, which "
				. 'registers it; a relay elsewhere needs the wiki and its $wgWebSocketKey in its configuration.',
			404 => 'The relay is older than the extension: end it, and the next page view starts the new one.',
			default => "The relay refuses: $answer->message ($answer->status).",
		};
	}
}

$maintClass = WebSocketRelay::class;
require_once RUN_MAINTENANCE_IF_MAIN;

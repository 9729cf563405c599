<?php

declare( strict_types = 1 );

use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\ClientConfig;
use MediaWiki\Extension\WebSocket\ClientId;
use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\Publisher;
use MediaWiki\Extension\WebSocket\Relay\Cooldown;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAddress;
use MediaWiki\Extension\WebSocket\Relay\RelayClient;
use MediaWiki\Extension\WebSocket\Relay\RelayManager;
use MediaWiki\Extension\WebSocket\Relay\RelayStarter;
use MediaWiki\Extension\WebSocket\Relay\StateDirectory;
use MediaWiki\Extension\WebSocket\RestrictedLogs;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\SystemEvents;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\Logger\LoggerFactory;
use MediaWiki\MainConfigNames;
use MediaWiki\MediaWikiServices;
use Psr\Log\LoggerInterface;

// PHPUnit does not understand coverage for this file.
// @codeCoverageIgnoreStart
/** @phpcs-require-sorted-array */
return [
	'WebSocket.ClientConfig' => static function ( MediaWikiServices $services ): ClientConfig {
		return new ClientConfig(
			new ServiceOptions( ClientConfig::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ),
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.TokenMinter' ),
			$services->getService( 'WebSocket.ClientId' ),
			$services->getService( 'WebSocket.Registrar' ),
			dirname( __DIR__ ) . '/resources/dist'
		);
	},
	'WebSocket.ClientId' => static function ( MediaWikiServices $services ): ClientId {
		return new ClientId(
			static fn () => RequestContext::getMain()->getRequest(),
			$services->getService( 'WebSocket.Settings' )->clientId
		);
	},
	'WebSocket.Cooldown' => static function ( MediaWikiServices $services ): Cooldown {
		return new Cooldown(
			$services->getLocalServerObjectCache(),
			$services->getService( 'WebSocket.StateDirectory' )->getPath(),
			wfTempDir() . '/websocket-' . $services->getService( 'WebSocket.WikiIdentity' )->secretName
		);
	},
	'WebSocket.Logger' => static function (): LoggerInterface {
		return LoggerFactory::getInstance( 'WebSocket' );
	},
	'WebSocket.Publisher' => static function ( MediaWikiServices $services ): Publisher {
		return new Publisher(
			new EnvelopeEncoder(),
			$services->getService( 'WebSocket.TokenMinter' ),
			$services->getService( 'WebSocket.RelayClient' ),
			$services->getService( 'WebSocket.Registrar' ),
			$services->getDBLoadBalancerFactory(),
			$services->getService( 'WebSocket.Logger' ),
			$services->getService( 'WebSocket.TroubleLog' )
		);
	},
	'WebSocket.Registrar' => static function ( MediaWikiServices $services ): Registrar {
		$config = $services->getMainConfig();
		return new Registrar(
			$services->getService( 'WebSocket.RelayClient' ),
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.Settings' ),
			$services->getGroupPermissionsLookup(),
			[
				(string)$config->get( MainConfigNames::Server ),
				(string)$config->get( MainConfigNames::CanonicalServer ),
			]
		);
	},
	'WebSocket.RelayClient' => static function ( MediaWikiServices $services ): RelayClient {
		$settings = $services->getService( 'WebSocket.Settings' );
		return new RelayClient(
			new RelayAddress( $settings, $services->getService( 'WebSocket.StateDirectory' ) ),
			$settings->publishTimeout,
			$services->getService( 'WebSocket.Cooldown' ),
			$services->getService( 'WebSocket.Logger' )
		);
	},
	'WebSocket.RelayManager' => static function ( MediaWikiServices $services ): RelayManager {
		return new RelayManager(
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.Registrar' ),
			$services->getService( 'WebSocket.RelayStarter' ),
			$services->getService( 'WebSocket.Cooldown' ),
			$services->getService( 'WebSocket.TroubleLog' ),
			MW_ENTRY_POINT === 'cli'
		);
	},
	'WebSocket.RelayStarter' => static function ( MediaWikiServices $services ): RelayStarter {
		return new RelayStarter(
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.StateDirectory' ),
			dirname( __DIR__ ) . '/bin',
			(string)$services->getMainConfig()->get( MainConfigNames::Server )
		);
	},
	'WebSocket.RestrictedLogs' => static function ( MediaWikiServices $services ): RestrictedLogs {
		return new RestrictedLogs(
			new ServiceOptions( RestrictedLogs::CONSTRUCTOR_OPTIONS, $services->getMainConfig() )
		);
	},
	'WebSocket.Settings' => static function ( MediaWikiServices $services ): Settings {
		return new Settings( new ServiceOptions( Settings::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ) );
	},
	'WebSocket.StateDirectory' => static function ( MediaWikiServices $services ): StateDirectory {
		return new StateDirectory(
			new ServiceOptions( StateDirectory::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ),
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.WikiIdentity' )
		);
	},
	'WebSocket.SystemEvents' => static function ( MediaWikiServices $services ): SystemEvents {
		return new SystemEvents(
			$services->getService( 'WebSocket.Publisher' ),
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.ClientId' )
		);
	},
	'WebSocket.TokenMinter' => static function ( MediaWikiServices $services ): TokenMinter {
		return new TokenMinter( $services->getService( 'WebSocket.WikiIdentity' ) );
	},
	'WebSocket.TroubleLog' => static function ( MediaWikiServices $services ): TroubleLog {
		return new TroubleLog(
			$services->getService( 'WebSocket.Cooldown' ),
			$services->getService( 'WebSocket.Logger' )
		);
	},
	'WebSocket.WikiIdentity' => static function ( MediaWikiServices $services ): WikiIdentity {
		return new WikiIdentity( new ServiceOptions( WikiIdentity::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ) );
	},
];
// @codeCoverageIgnoreEnd

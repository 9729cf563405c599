<?php

declare( strict_types = 1 );

use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\AfterCommit;
use MediaWiki\Extension\WebSocket\Backlog\Backlog;
use MediaWiki\Extension\WebSocket\ClientConfig;
use MediaWiki\Extension\WebSocket\ClientId;
use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\HiddenNames;
use MediaWiki\Extension\WebSocket\Hook\HookRunner;
use MediaWiki\Extension\WebSocket\Keys\KeyGenerations;
use MediaWiki\Extension\WebSocket\Keys\KeyRotation;
use MediaWiki\Extension\WebSocket\Keys\WikiSecret;
use MediaWiki\Extension\WebSocket\Polling\ClientIds;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Polling\TypeAccess;
use MediaWiki\Extension\WebSocket\Publisher;
use MediaWiki\Extension\WebSocket\Relay\Cooldown;
use MediaWiki\Extension\WebSocket\Relay\Delivery;
use MediaWiki\Extension\WebSocket\Relay\Registrar;
use MediaWiki\Extension\WebSocket\Relay\RelayAddress;
use MediaWiki\Extension\WebSocket\Relay\RelayClient;
use MediaWiki\Extension\WebSocket\Relay\RelayManager;
use MediaWiki\Extension\WebSocket\Relay\RelayStarter;
use MediaWiki\Extension\WebSocket\Relay\StateDirectory;
use MediaWiki\Extension\WebSocket\RestrictedLogs;
use MediaWiki\Extension\WebSocket\Revocation\Revoker;
use MediaWiki\Extension\WebSocket\SendRate;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\SubscriptionTokens;
use MediaWiki\Extension\WebSocket\SystemEvents;
use MediaWiki\Extension\WebSocket\TokenMinter;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\Logger\LoggerFactory;
use MediaWiki\MainConfigNames;
use MediaWiki\MediaWikiServices;
use Psr\Log\LoggerInterface;

// PHPUnit does not understand coverage for this file.
// @codeCoverageIgnoreStart
/** @phpcs-require-sorted-array */
return [
	'WebSocket.AfterCommit' => static function ( MediaWikiServices $services ): AfterCommit {
		return new AfterCommit( $services->getDBLoadBalancerFactory() );
	},
	'WebSocket.Backlog' => static function ( MediaWikiServices $services ): Backlog {
		return new Backlog(
			$services->getService( 'WebSocket.Stash' ),
			$services->getJobQueueGroup(),
			$services->getService( 'WebSocket.Delivery' ),
			$services->getService( 'WebSocket.Logger' ),
			$services->getService( 'WebSocket.TroubleLog' )
		);
	},
	'WebSocket.ClientConfig' => static function ( MediaWikiServices $services ): ClientConfig {
		return new ClientConfig(
			new ServiceOptions( ClientConfig::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ),
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.ConnectTokens' ),
			$services->getService( 'WebSocket.ClientId' ),
			dirname( __DIR__ ) . '/resources/dist'
		);
	},
	'WebSocket.ClientId' => static function ( MediaWikiServices $services ): ClientId {
		return new ClientId(
			static fn () => RequestContext::getMain()->getRequest(),
			static fn () => RequestContext::getMain()->getUser(),
			$services->getService( 'WebSocket.Settings' )->clientId
		);
	},
	'WebSocket.ClientIds' => static function ( MediaWikiServices $services ): ClientIds {
		return new ClientIds( $services->getService( 'WebSocket.Stash' ) );
	},
	'WebSocket.ConnectTokens' => static function ( MediaWikiServices $services ): ConnectTokens {
		return new ConnectTokens(
			$services->getService( 'WebSocket.TokenMinter' ),
			$services->getService( 'WebSocket.TypeRegistry' ),
			new SendRate(
				new ServiceOptions( SendRate::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ),
				$services->getGroupPermissionsLookup(),
				// Pages that caches keep do not need it, and it brings many others along.
				static fn () => $services->getUserGroupManager()
			),
			static fn () => $services->getBlockManager(),
			$services->getGroupPermissionsLookup()
		);
	},
	'WebSocket.Cooldown' => static function ( MediaWikiServices $services ): Cooldown {
		return new Cooldown(
			$services->getLocalServerObjectCache(),
			$services->getService( 'WebSocket.StateDirectory' )->getPath(),
			wfTempDir() . '/websocket-' . $services->getService( 'WebSocket.WikiSecret' )->name
		);
	},
	'WebSocket.Delivery' => static function ( MediaWikiServices $services ): Delivery {
		return new Delivery(
			new EnvelopeEncoder(),
			$services->getService( 'WebSocket.TokenMinter' ),
			$services->getService( 'WebSocket.RelayClient' ),
			$services->getService( 'WebSocket.Registrar' ),
			$services->getService( 'WebSocket.Logger' ),
			$services->getService( 'WebSocket.TroubleLog' )
		);
	},
	'WebSocket.HiddenNames' => static function ( MediaWikiServices $services ): HiddenNames {
		return new HiddenNames( $services->getUserFactory() );
	},
	'WebSocket.KeyGenerations' => static function ( MediaWikiServices $services ): KeyGenerations {
		return new KeyGenerations( $services->getService( 'WebSocket.StateDirectory' ) );
	},
	'WebSocket.KeyRotation' => static function ( MediaWikiServices $services ): KeyRotation {
		return new KeyRotation(
			new ServiceOptions( WikiIdentity::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ),
			$services->getService( 'WebSocket.WikiSecret' ),
			$services->getService( 'WebSocket.KeyGenerations' ),
			$services->getService( 'WebSocket.Registrar' ),
			$services->getService( 'WebSocket.Settings' )
		);
	},
	'WebSocket.Logger' => static function (): LoggerInterface {
		return LoggerFactory::getInstance( 'WebSocket' );
	},
	'WebSocket.Outbox' => static function ( MediaWikiServices $services ): Outbox {
		return new Outbox(
			$services->getDBLoadBalancerFactory(),
			$services->getService( 'WebSocket.TypeRegistry' ),
			$services->getService( 'WebSocket.ClientIds' ),
			$services->getService( 'WebSocket.TroubleLog' )
		);
	},
	'WebSocket.Publisher' => static function ( MediaWikiServices $services ): Publisher {
		$polling = $services->getService( 'WebSocket.Settings' )->polling;
		return new Publisher(
			new EnvelopeEncoder(),
			$services->getService( 'WebSocket.TokenMinter' ),
			$services->getService( 'WebSocket.TypeRegistry' ),
			$services->getService( 'WebSocket.Delivery' ),
			$services->getService( 'WebSocket.Backlog' ),
			$polling ? $services->getService( 'WebSocket.Outbox' ) : null,
			$services->getService( 'WebSocket.AfterCommit' ),
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
			$services->getService( 'WebSocket.TypeRegistry' ),
			$services->getGroupPermissionsLookup(),
			[
				(string)$config->get( MainConfigNames::Server ),
				(string)$config->get( MainConfigNames::CanonicalServer ),
			],
			$services->getService( 'WebSocket.KeyGenerations' )
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
			static fn () => $services->getService( 'WebSocket.Backlog' ),
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
	'WebSocket.Revoker' => static function ( MediaWikiServices $services ): Revoker {
		return new Revoker(
			$services->getService( 'WebSocket.TokenMinter' ),
			$services->getService( 'WebSocket.RelayClient' ),
			$services->getService( 'WebSocket.Registrar' ),
			$services->getService( 'WebSocket.AfterCommit' ),
			$services->getJobQueueGroup(),
			$services->getService( 'WebSocket.Logger' ),
			$services->getService( 'WebSocket.TroubleLog' ),
			$services->getService( 'WebSocket.Settings' )->tokenLife,
			$services->getService( 'WebSocket.Settings' )->polling === 0
		);
	},
	'WebSocket.Settings' => static function ( MediaWikiServices $services ): Settings {
		return new Settings( new ServiceOptions( Settings::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ) );
	},
	'WebSocket.Stash' => static function ( MediaWikiServices $services ): BagOStuff {
		$config = $services->getMainConfig();
		if ( $config->get( MainConfigNames::DBtype ) !== 'sqlite'
			|| $config->get( MainConfigNames::MainStash ) !== 'db-replicated' ) {
			return $services->getMainObjectStash();
		}
		// A transaction of SQLite breaks off when others have written since it began to read. That is why MediaWiki's
		// installer gives caches a database of their own there.
		return method_exists( $services, 'getObjectCacheFactory' )
			? $services->getObjectCacheFactory()->getInstance( CACHE_DB )
			: ObjectCache::getInstance( CACHE_DB );
	},
	'WebSocket.StateDirectory' => static function ( MediaWikiServices $services ): StateDirectory {
		return new StateDirectory(
			new ServiceOptions( StateDirectory::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ),
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.WikiSecret' ),
			function_exists( 'posix_geteuid' ) ? posix_geteuid() : null
		);
	},
	'WebSocket.SubscriptionTokens' => static function ( MediaWikiServices $services ): SubscriptionTokens {
		return new SubscriptionTokens(
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.TokenMinter' ),
			$services->getService( 'WebSocket.ConnectTokens' ),
			$services->getService( 'WebSocket.TypeRegistry' ),
			$services->getPageStore(),
			new HookRunner( $services->getHookContainer() )
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
		return new TokenMinter(
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.Settings' )->tokenLife
		);
	},
	'WebSocket.TroubleLog' => static function ( MediaWikiServices $services ): TroubleLog {
		return new TroubleLog(
			$services->getService( 'WebSocket.Cooldown' ),
			$services->getService( 'WebSocket.Logger' )
		);
	},
	'WebSocket.TypeAccess' => static function ( MediaWikiServices $services ): TypeAccess {
		return new TypeAccess(
			$services->getService( 'WebSocket.TypeRegistry' ),
			$services->getService( 'WebSocket.SubscriptionTokens' )
		);
	},
	'WebSocket.TypeRegistry' => static function ( MediaWikiServices $services ): TypeRegistry {
		return new TypeRegistry(
			$services->getService( 'WebSocket.WikiIdentity' ),
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.TroubleLog' ),
			static fn () => ExtensionRegistry::getInstance()->getAttribute( 'WebSocketTypes' )
		);
	},
	'WebSocket.WikiIdentity' => static function ( MediaWikiServices $services ): WikiIdentity {
		$options = new ServiceOptions( WikiIdentity::CONSTRUCTOR_OPTIONS, $services->getMainConfig() );
		return new WikiIdentity(
			$options,
			$services->getService( 'WebSocket.WikiSecret' ),
			$services->getService( 'WebSocket.KeyGenerations' )->current( WikiIdentity::idOf( $options ) )
		);
	},
	'WebSocket.WikiSecret' => static function ( MediaWikiServices $services ): WikiSecret {
		return new WikiSecret( new ServiceOptions( WikiSecret::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ) );
	},
];
// @codeCoverageIgnoreEnd

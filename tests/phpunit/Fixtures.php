<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests;

use EmptyBagOStuff;
use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\Keys\KeyGeneration;
use MediaWiki\Extension\WebSocket\Keys\WikiSecret;
use MediaWiki\Extension\WebSocket\Relay\Cooldown;
use MediaWiki\Extension\WebSocket\Relay\RelayAddress;
use MediaWiki\Extension\WebSocket\Relay\RelayClient;
use MediaWiki\Extension\WebSocket\Relay\StateDirectory;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\Permissions\GroupPermissionsLookup;
use Psr\Log\LoggerInterface;
use Psr\Log\NullLogger;
use RuntimeException;

/**
 * The extension's objects with the settings that a test is about, and the defaults of extension.json for the others.
 */
class Fixtures {
	/**
	 * @param array<string,mixed> $values By name without $wg
	 * @return Settings
	 */
	public static function settings( array $values = [] ): Settings {
		return new Settings( self::options( Settings::CONSTRUCTOR_OPTIONS, $values ) );
	}

	/**
	 * @param array<string,mixed> $values By name without $wg
	 * @param KeyGeneration|null $generation
	 * @return WikiIdentity
	 */
	public static function wiki( array $values = [], ?KeyGeneration $generation = null ): WikiIdentity {
		return new WikiIdentity(
			self::options( WikiIdentity::CONSTRUCTOR_OPTIONS, $values ),
			self::secret( $values ),
			$generation ?? new KeyGeneration()
		);
	}

	/**
	 * @param array<string,mixed> $values By name without $wg
	 * @return WikiSecret
	 */
	public static function secret( array $values = [] ): WikiSecret {
		return new WikiSecret( self::options( WikiSecret::CONSTRUCTOR_OPTIONS, $values ) );
	}

	/**
	 * @param array<string,mixed> $values By name without $wg
	 * @param int|null $userId Of the user that PHP runs as; null: this one
	 * @return StateDirectory
	 */
	public static function directory( array $values = [], ?int $userId = null ): StateDirectory {
		return new StateDirectory(
			self::options( StateDirectory::CONSTRUCTOR_OPTIONS, $values ),
			self::settings( $values ),
			self::secret( $values ),
			$userId ?? posix_geteuid()
		);
	}

	/**
	 * @param array<string,mixed> $values By name without $wg
	 * @param array $attribute What extensions declare
	 * @param TroubleLog|null $log Null: declarations have to be good
	 * @return TypeRegistry
	 */
	public static function types( array $values = [], array $attribute = [], ?TroubleLog $log = null ): TypeRegistry {
		return new TypeRegistry(
			self::wiki( $values ),
			self::settings( $values ),
			$log ?? new class() extends TroubleLog {
				public function __construct() {
				}

				public function error( string $message, string $problem ): void {
					throw new RuntimeException( "$message $problem" );
				}
			},
			static fn () => $attribute
		);
	}

	/**
	 * @param array<string,bool> $rights Those that group '*' has
	 * @return GroupPermissionsLookup
	 */
	public static function groupPermissions( array $rights ): GroupPermissionsLookup {
		return new GroupPermissionsLookup( new ServiceOptions( GroupPermissionsLookup::CONSTRUCTOR_OPTIONS, [
			'GroupPermissions' => [ '*' => $rights ],
			'RevokePermissions' => [],
			'GroupInheritsPermissions' => [],
		] ) );
	}

	/**
	 * @param string $token
	 * @return array<string,mixed> What it says
	 */
	public static function claims( string $token ): array {
		return json_decode( base64_decode( strtr( explode( '.', $token )[1], '-_', '+/' ) ), true );
	}

	/**
	 * @param string $directory Where its files go
	 * @return Cooldown One without a cache
	 */
	public static function cooldown( string $directory ): Cooldown {
		return new Cooldown( new EmptyBagOStuff(), $directory, "$directory/fallback" );
	}

	/**
	 * @param string $directory Folder of the control socket and the cooldown
	 * @param array<string,mixed> $values By name without $wg
	 * @param LoggerInterface|null $logger
	 * @return RelayClient
	 */
	public static function client(
		string $directory, array $values = [], ?LoggerInterface $logger = null
	): RelayClient {
		$values += [ 'WebSocketDirectory' => $directory ];
		$settings = self::settings( $values );
		return new RelayClient(
			new RelayAddress( $settings, self::directory( $values ) ),
			$settings->publishTimeout,
			self::cooldown( $directory ),
			$logger ?? new NullLogger()
		);
	}

	/**
	 * @param string[] $names
	 * @param array<string,mixed> $values By name without $wg
	 * @return ServiceOptions
	 */
	public static function options( array $names, array $values ): ServiceOptions {
		$manifest = json_decode( file_get_contents( __DIR__ . '/../../extension.json' ), true );
		$defaults = array_map( static fn ( $setting ) => $setting['value'], $manifest['config'] );
		return new ServiceOptions( $names, $values, $defaults, [
			'CacheDirectory' => false,
			'DBname' => 'mydb',
			'DBprefix' => '',
			'ExtensionAssetsPath' => '/extensions',
			'LogRestrictions' => [ 'suppress' => 'suppressionlog' ],
			'ScriptPath' => '',
			'SecretKey' => 'a secret that nobody knows',
			'Server' => 'https://wiki.example',
			'UploadDirectory' => false,
		] );
	}
}

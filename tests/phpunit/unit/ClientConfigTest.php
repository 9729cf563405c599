<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\ClientConfig;
use MediaWiki\Extension\WebSocket\ClientId;
use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\Hook\ContentSecurityPolicyHandler;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWikiUnitTestCase;
use Wikimedia\Timestamp\ConvertibleTimestamp;

/**
 * @covers \MediaWiki\Extension\WebSocket\ClientConfig
 * @covers \MediaWiki\Extension\WebSocket\Hook\ContentSecurityPolicyHandler
 */
class ClientConfigTest extends MediaWikiUnitTestCase {
	private string $dist;

	protected function setUp(): void {
		parent::setUp();
		$this->dist = FakeRelay::newDirectory();
		$this->manifest( '[ "worker" => "w-1.js", "wasm" => "c-1.wasm" ]' );
	}

	protected function tearDown(): void {
		FakeRelay::removeDirectory( $this->dist );
		parent::tearDown();
	}

	private function manifest( string $php ): void {
		file_put_contents( "{$this->dist}/manifest.php", "<?php return $php;" );
	}

	private function policy( array $directives, array $values = [] ): array {
		$handler = new ContentSecurityPolicyHandler( $this->config( $values ) );
		$handler->onContentSecurityPolicyDirectives( $directives, [], 1 );
		return $directives;
	}

	private function config( array $values = [], bool $isPrivate = false ): ClientConfig {
		$tokens = $this->createMock( ConnectTokens::class );
		$tokens->method( 'forPublic' )->willReturn( $isPrivate ? null : [ 'token' => 'T', 'expires' => 1 ] );
		$tokens->expects( $this->never() )->method( 'forAuthority' );
		$clientId = $this->createMock( ClientId::class );
		$clientId->method( 'own' )->willReturn( 'WS1' );
		return new ClientConfig(
			Fixtures::options( ClientConfig::CONSTRUCTOR_OPTIONS, $values ),
			Fixtures::settings( $values ),
			Fixtures::wiki( $values ),
			$tokens,
			$clientId,
			$this->dist
		);
	}

	public function testVars(): void {
		ConvertibleTimestamp::setFakeTime( 1750000000 );
		$vars = $this->config()->getVars( false );
		ConvertibleTimestamp::setFakeTime( false );
		$this->assertSame( [
			'wsPort' => 1729,
			'wsRewrite' => false,
			'wsClientID' => 'WS1',
			'wsWikiID' => 'mydb:',
			'wsTime' => 1750000000,
			'wsConfig' => [
				'url' => null,
				'tlsPort' => null,
				'token' => 'T',
				'worker' => '/extensions/WebSocket/resources/dist/w-1.js',
				'wasm' => '/extensions/WebSocket/resources/dist/c-1.wasm',
				'api' => '/api.php',
			],
		], $vars );
	}

	public function testPageThatPollsIsGivenNoClientAndNoToken(): void {
		$config = $this->config( [ 'WebSocketPolling' => 5, 'SecretKey' => '' ] );
		$this->assertNull( $config->getProblem(), 'nothing is signed' );
		$this->assertSame( [], $config->getSocketSources() );
		$vars = $config->getVars( false )['wsConfig'];
		$this->assertSame( [ 5, null, null, null, '/api.php' ], [
			$vars['polling'], $vars['token'], $vars['worker'], $vars['wasm'], $vars['api']
		] );
	}

	public function testTokenIsOnlyInPagesThatEverybodyMayHave(): void {
		$this->assertNull( $this->config()->getVars( true )['wsConfig']['token'], 'a page of a user' );
		$this->assertNull( $this->config( [], true )->getVars( false )['wsConfig']['token'], 'a private wiki' );
	}

	public function testSettingsReachThePage(): void {
		$vars = $this->config( [
			'WebSocketPort' => 8000,
			'WebSocketRewrite' => true,
			'WebSocketUrl' => '/live',
			'WebSocketTLSCert' => '/c',
			'WebSocketTLSKey' => '/k',
			'ScriptPath' => '/w',
		] )->getVars( false );
		$this->assertSame( [ 8000, true ], [ $vars['wsPort'], $vars['wsRewrite'] ] );
		$this->assertSame( [ '/live', 8001 ], [ $vars['wsConfig']['url'], $vars['wsConfig']['tlsPort'] ] );
		$this->assertSame( '/w/api.php', $vars['wsConfig']['api'] );
	}

	public static function assetPaths(): array {
		return [
			'path' => [ '/w/extensions', '/w/extensions' ],
			'same origin' => [ 'https://wiki.example/ext', 'https://wiki.example/ext' ],
			'other host' => [ 'https://static.example/ext', '/s/extensions' ],
			'other host without scheme' => [ '//static.example/ext', '/s/extensions' ],
			'host that begins alike' => [ 'https://wiki.example.evil.example/ext', '/s/extensions' ],
		];
	}

	/**
	 * A worker of another origin is a SecurityError.
	 *
	 * @dataProvider assetPaths
	 */
	public function testWorkerHasTheOriginOfThePage( string $assets, string $expected ): void {
		$vars = $this->config( [ 'ExtensionAssetsPath' => $assets, 'ScriptPath' => '/s' ] )->getVars( false );
		$this->assertSame( "$expected/WebSocket/resources/dist/w-1.js", $vars['wsConfig']['worker'] );
	}

	public function testProblems(): void {
		$this->assertNull( $this->config()->getProblem() );
		$this->assertStringContainsString( '$wgSecretKey', $this->config( [ 'SecretKey' => '' ] )->getProblem() );
		$this->manifest( '[ "worker" => 7 ]' );
		$this->assertStringContainsString( 'make build', $this->config()->getProblem() );
		unlink( "{$this->dist}/manifest.php" );
		$this->assertStringContainsString( 'make build', $this->config()->getProblem() );
	}

	public static function socketSources(): array {
		return [
			[ [], [ 'wss://wiki.example:1729' ] ],
			[ [ 'WebSocketTLSCert' => '/c', 'WebSocketTLSKey' => '/k' ], [ 'wss://wiki.example:1730' ] ],
			[ [ 'WebSocketRewrite' => true ], [ 'wss://wiki.example' ] ],
			[ [ 'WebSocketUrl' => '/live' ], [ 'wss://wiki.example' ] ],
			[ [ 'WebSocketUrl' => 'wss://live.example:9/x' ], [ 'wss://live.example:9' ] ],
			[ [ 'Server' => 'http://localhost:8080' ], [ 'ws://localhost:1729' ] ],
			[ [ 'Server' => 'http://localhost:8080', 'WebSocketRewrite' => true ], [ 'ws://localhost:8080' ] ],
			[ [ 'Server' => '//wiki.example' ], [ 'wss://wiki.example:1729', 'ws://wiki.example:1729' ] ],
		];
	}

	/**
	 * @dataProvider socketSources
	 */
	public function testSocketSources( array $values, array $expected ): void {
		$this->assertSame( $expected, $this->config( $values )->getSocketSources() );
	}

	public static function policies(): array {
		$ws = 'wss://wiki.example:1729 https://wiki.example:1729';
		return [
			"MediaWiki's own" => [
				[ "script-src 'unsafe-eval' blob: 'self'", 'default-src * data: blob:', "object-src 'none'" ],
				[ "script-src 'unsafe-eval' blob: 'self'", 'default-src * data: blob:', "object-src 'none'" ],
			],
			"MediaWiki's own, restrictive" => [
				[ "script-src 'unsafe-eval' 'self'", "default-src 'self' data: blob:", "style-src 'self'" ],
				[ "script-src 'unsafe-eval' 'self'", "default-src 'self' data: blob: $ws", "style-src 'self'" ],
			],
			'without eval' => [
				[ "script-src 'self'", "default-src 'self'" ],
				[ "script-src 'self' 'wasm-unsafe-eval'", "default-src 'self' $ws" ],
			],
			'connect-src decides where there is one' => [
				[ "connect-src https://api.example", "default-src 'self'", "worker-src blob:" ],
				[ "connect-src https://api.example $ws 'self'", "default-src 'self'", "worker-src blob: 'self'" ],
			],
			'nothing twice' => [
				[ "connect-src 'self' $ws", "script-src 'wasm-unsafe-eval'", "worker-src 'self'" ],
				[ "connect-src 'self' $ws", "script-src 'wasm-unsafe-eval'", "worker-src 'self'" ],
			],
			"'none' is meant" => [
				[ "connect-src 'none'", "worker-src 'none'", "script-src 'none'" ],
				[ "connect-src 'none'", "worker-src 'none'", "script-src 'none'" ],
			],
			'no policy about connections' => [ [ "object-src 'none'" ], [ "object-src 'none'" ] ],
			'empty' => [ [], [] ],
		];
	}

	/**
	 * @dataProvider policies
	 */
	public function testPolicyIsOnlyLoosenedWhereTheClientNeedsIt( array $directives, array $expected ): void {
		$this->assertSame( $expected, $this->policy( $directives ) );
	}

	public function testPolicyOfAWikiWithoutARelayIsLoosened(): void {
		$strict = [ "script-src 'self'", "default-src 'self'", 'worker-src blob:', 'connect-src https://api.example' ];
		$this->assertSame( $strict, $this->policy( $strict, [ 'WebSocketPolling' => 5 ] ) );
	}

	public function testPolicyStaysAsItIsWithoutClient(): void {
		unlink( "{$this->dist}/manifest.php" );
		$this->assertSame( [ "default-src 'self'" ], $this->policy( [ "default-src 'self'" ] ) );
	}
}

<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use DeferredUpdates;
use FauxRequest;
use MediaWiki\Extension\WebSocket\ClientConfig;
use MediaWiki\Extension\WebSocket\Hook\PageDisplayHandler;
use MediaWiki\Extension\WebSocket\Relay\RelayManager;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWikiIntegrationTestCase;
use OutputPage;
use RequestContext;
use Skin;
use Title;

/**
 * @covers \MediaWiki\Extension\WebSocket\Hook\PageDisplayHandler
 * @group Database
 */
class PageDisplayTest extends MediaWikiIntegrationTestCase {
	private Title $title;
	private int $revision;

	protected function setUp(): void {
		parent::setUp();
		$this->tablesUsed = [ 'page', 'revision' ];
		$status = $this->editPage( 'Shown page', 'text' . mt_rand() );
		$this->revision = $status->value['revision-record']->getId();
		$this->title = Title::newFromText( 'Shown page' );
	}

	private function out(
		array $request = [], ?Title $title = null, bool $isArticle = true, ?int $revision = null
	): OutputPage {
		$context = new RequestContext();
		$context->setRequest( new FauxRequest( $request ) );
		$context->setTitle( $title ?? $this->title );
		$context->setUser( $this->getServiceContainer()->getUserFactory()->newAnonymous() );
		$out = $context->getOutput();
		$out->setArticleFlag( $isArticle );
		$out->setRevisionId( $revision ?? $this->revision );
		return $out;
	}

	private function show( OutputPage $out, ?string $problem = null, array $settings = [] ): void {
		$config = $this->createMock( ClientConfig::class );
		$config->method( 'getProblem' )->willReturn( $problem );
		$config->method( 'getVars' )
			->willReturnCallback( static fn ( $isUser ) => [ 'wsPort' => 1, 'isUser' => $isUser ] );
		$manager = $this->createMock( RelayManager::class );
		$manager->expects( $this->once() )->method( 'schedule' );
		$log = $this->createMock( TroubleLog::class );
		$log->expects( $problem === null ? $this->never() : $this->once() )->method( 'error' );
		( new PageDisplayHandler( $config, $manager, Fixtures::settings( $settings ), $log ) )
			->onBeforePageDisplay( $out, $this->createMock( Skin::class ) );
	}

	public function testCurrentPage(): void {
		$out = $this->out();
		$this->show( $out );
		$this->assertContains( 'ext.websocket', $out->getModules() );
		$this->assertContains( 'ext.websocket.live', $out->getModules() );
		$this->assertSame( [ 1, false ], [ $out->getJsConfigVars()['wsPort'], $out->getJsConfigVars()['isUser'] ] );
	}

	public function testPageOfAUser(): void {
		$out = $this->out();
		$out->getContext()->setUser( $this->getTestUser()->getUser() );
		$this->show( $out );
		$this->assertTrue( $out->getJsConfigVars()['isUser'] );
	}

	public function testWithoutBar(): void {
		$cases = [
			'history' => $this->out( [ 'action' => 'history' ] ),
			'edit form' => $this->out( [ 'action' => 'edit' ] ),
			'difference' => $this->out( [ 'diff' => 'prev' ] ),
			'printable' => $this->out(),
			'old revision' => $this->out( [], null, true, $this->revision + 1000 ),
			'page that is not there' => $this->out( [], Title::newFromText( 'No such page' ) ),
			'special page' => $this->out( [], Title::newFromText( 'Special:Version' ) ),
			'not an article' => $this->out( [], null, false ),
		];
		$cases['printable']->setPrintable();
		foreach ( $cases as $name => $out ) {
			$this->show( $out );
			$this->assertContains( 'ext.websocket', $out->getModules(), $name );
			$this->assertNotContains( 'ext.websocket.live', $out->getModules(), $name );
		}
	}

	public function testBarTurnedOff(): void {
		$out = $this->out();
		$this->show( $out, null, [ 'WebSocketPageBar' => false ] );
		$this->assertContains( 'ext.websocket', $out->getModules() );
		$this->assertNotContains( 'ext.websocket.live', $out->getModules() );
	}

	public function testClientThatWasNotBuilt(): void {
		$out = $this->out();
		$this->show( $out, 'run "make build"' );
		$this->assertSame( [], preg_grep( '/^ext\.websocket/', $out->getModules() ) );
		$this->assertArrayNotHasKey( 'wsPort', $out->getJsConfigVars() );
	}

	public function testServicesAndManifest(): void {
		$services = $this->getServiceContainer();
		foreach ( $services->getServiceNames() as $name ) {
			if ( str_starts_with( $name, 'WebSocket.' ) ) {
				$this->assertIsObject( $services->getService( $name ), $name );
			}
		}
		$this->assertInstanceOf( Settings::class, $services->getService( 'WebSocket.Settings' ) );
		DeferredUpdates::clearPendingUpdates();
		$services->getService( 'WebSocket.RelayManager' )->schedule();
		$this->assertSame( 0, DeferredUpdates::pendingUpdatesCount(), 'maintenance scripts look at once' );
	}
}

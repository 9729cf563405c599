<?php
/**
 * What the extension adds to the PHP time of a page view and of an edit, on a wiki that runs, with a relay that runs.
 *
 * View a page of the wiki first, so that the relay is there. Then, as the user that the web server runs PHP as (the
 * relay's control socket is for nobody else):
 *
 *     MediaWiki 1.39          php extensions/WebSocket/tests/bench/PhpBench.php
 *     MediaWiki 1.40 and up   php maintenance/run.php extensions/WebSocket/tests/bench/PhpBench.php
 *     a wiki of the testbed   testbed/wiki-maint.sh DIR "$PWD/tests/bench/PhpBench.php"
 *
 * It prints two lines, medians in milliseconds:
 *
 *     php_pageview_ms N   choosing modules, making the page's configuration with its token, asking the relay whether
 *                         it knows the wiki. After the response, so that readers do not wait for it: the last of them.
 *     php_publish_ms N    encoding two messages, as an edit has, signing the token, handing them to the relay and
 *                         waiting for its answer. All of it after the response.
 *
 * Each round has services of its own, because a request has; loading the code, which opcache does, is not counted.
 * With --idle 20 the processors fall asleep before each round and have to wake up for the relay, which adds what the
 * machine needs for that, some tenths of a millisecond on a virtual one.
 */

use MediaWiki\Extension\WebSocket\Hook\PageDisplayHandler;
use MediaWiki\MediaWikiServices;
use Wikimedia\ScopedCallback;

$IP = getenv( 'MW_INSTALL_PATH' ) ?: dirname( __DIR__, 4 );
require_once "$IP/maintenance/Maintenance.php";

class PhpBench extends Maintenance {
	private const WARM_UP_ROUNDS = 20;

	public function __construct() {
		parent::__construct();
		$this->addDescription( 'Measure what the WebSocket extension costs a page view and a publish' );
		$this->addOption( 'rounds', 'How often to measure, default 300', false, true );
		$this->addOption( 'idle', 'Milliseconds of rest before each round, default 0', false, true );
		$this->requireExtension( 'WebSocket' );
	}

	/** @inheritDoc */
	public function execute() {
		$services = MediaWikiServices::getInstance();
		$problem = $services->getService( 'WebSocket.ClientConfig' )->getProblem();
		if ( $problem !== null ) {
			$this->fatalError( $problem );
		}
		$answer = $services->getService( 'WebSocket.Registrar' )->register();
		if ( !$answer->isOk() ) {
			$this->fatalError( "The relay does not answer ($answer->status $answer->message); view a page first." );
		}
		$this->measure( 'php_pageview_ms', [ $this, 'viewPage' ] );
		$this->measure( 'php_publish_ms', [ $this, 'publishEdit' ] );
	}

	private function measure( string $name, callable $round ): void {
		$times = [];
		$rounds = self::WARM_UP_ROUNDS + (int)$this->getOption( 'rounds', 300 );
		for ( $i = 0; $i < $rounds; $i++ ) {
			$services = $this->freshServices();
			usleep( 1000 * (int)$this->getOption( 'idle', 0 ) );
			$times[] = $round( $services );
		}
		$times = array_slice( $times, self::WARM_UP_ROUNDS );
		sort( $times );
		$this->output( sprintf( "%s %.3f\n", $name, $times[intdiv( count( $times ), 2 )] / 1e6 ) );
	}

	/** Services as at the point of a request where the extension's turn comes: those of the core are there. */
	private function freshServices(): MediaWikiServices {
		$main = MediaWikiServices::getInstance();
		$fresh = new MediaWikiServices( $main->getBootstrapConfig() );
		$fresh->loadWiringFiles( $main->getMainConfig()->get( 'ServiceWiringFiles' ) );
		$core = [ 'MainConfig', 'GroupPermissionsLookup', 'LocalServerObjectCache', 'DBLoadBalancerFactory' ];
		foreach ( $core as $name ) {
			$fresh->redefineService( $name, static fn () => $main->getService( $name ) );
			$fresh->getService( $name );
		}
		return $fresh;
	}

	/** @return int Nanoseconds */
	private function viewPage( MediaWikiServices $services ): int {
		$context = new RequestContext();
		$context->setTitle( Title::newMainPage() );
		$out = $context->getOutput();
		$skin = $context->getSkin();
		$out->getUser()->isRegistered();

		$start = hrtime( true );
		$handler = new PageDisplayHandler(
			$services->getService( 'WebSocket.ClientConfig' ),
			$services->getService( 'WebSocket.RelayManager' ),
			$services->getService( 'WebSocket.Settings' ),
			$services->getService( 'WebSocket.TroubleLog' )
		);
		// In a maintenance script what comes after the response happens at once, so it is in this time.
		$handler->onBeforePageDisplay( $out, $skin );
		return hrtime( true ) - $start;
	}

	/** @return int Nanoseconds */
	private function publishEdit( MediaWikiServices $services ): int {
		$page = [ 'event' => 'edit', 'page' => 1, 'title' => 'Bench', 'rev' => 2, 'parent' => 1, 'user' => 'Bench',
			'time' => '2026-01-01T00:00:00Z', 'minor' => false, 'bot' => false, 'comment' => str_repeat( 'x', 60 ) ];
		$scope = DeferredUpdates::preventOpportunisticUpdates();

		$start = hrtime( true );
		$publisher = $services->getService( 'WebSocket.Publisher' );
		$from = $services->getService( 'WebSocket.ClientId' )->fromRequest();
		// Not the types that an edit has: pages that are open would take it for one.
		$publisher->publish( 'PhpBench', $page, $from );
		$publisher->publish( 'PhpBench', $page + [ 'oldLength' => 1, 'newLength' => 2 ], $from );
		$publisher->flush();
		$time = hrtime( true ) - $start;

		ScopedCallback::consume( $scope );
		DeferredUpdates::doUpdates();
		return $time;
	}
}

$maintClass = PhpBench::class;
require_once RUN_MAINTENANCE_IF_MAIN;

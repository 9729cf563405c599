/**
 * A way to a host that is loaded only when it is needed: on a wiki without a relay, what asks the wiki again and again.
 */
export class Later {
	/**
	 * @param {function(): Promise<{start: Function, post: Function}>} load
	 * @param {function(string)} failed it cannot be loaded
	 */
	constructor( load, failed ) {
		this.load = load;
		this.failed = failed;
		this.host = null;
		this.shared = false;
	}

	start() {
		if ( this.host ) {
			this.host.start();
			return;
		}
		this.load().then( ( host ) => {
			this.host = host;
			host.start();
		}, () => this.failed( 'the script of the client does not load' ) );
	}

	post( message ) {
		if ( this.host ) {
			this.host.post( message );
		}
	}
}
